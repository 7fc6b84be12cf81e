import GuestMemory
import HostSystem
import KVMEngine
import Machine
import Testing

@Suite("KVM: memory and devices", .enabled(if: Host.hasKVM, "this host has no KVM for us")) struct MemoryTests {
    @Test("A read-only memory slot can be read and executed, and writes do not change it")
    func readOnly() throws {
        let guest = try KVMGuest(
            """
            .code64
            mov $0x200000, %edi
            call *%rdi
            out %al, $0xE0
            movb $0x99, 1(%rdi)
            mov 1(%rdi), %al
            out %al, $0xE0
            out %al, $0xE4
            1: jmp 1b
            """, mode: .long)
        let rom = try GuestMemory(ranges: [(0x20_0000, 0x1000)])
        // mov $0x42, %al; ret
        try rom.write([0xB0, 0x42, 0xC3], at: 0x20_0000)
        try guest.machine.map(rom, access: .readOnly)
        #expect(try guest.run() == [.requested])
        #expect(guest.port.values == [0x42, 0x42])
        #expect(try rom.load(UInt8.self, at: 0x20_0001) == 0x42)
    }

    @Test("Device registers take every access size; without a device, reads are all ones and writes are lost")
    func deviceAccess() throws {
        let guest = try KVMGuest(
            """
            .code64
            mov $0xA0000, %edi
            movb $0x11, (%rdi)
            movw $0x2222, 2(%rdi)
            movl $0x44444444, 4(%rdi)
            mov $0x8888888888888888, %rax
            mov %rax, 8(%rdi)
            mov 0x10(%rdi), %al
            out %al, $0xE0
            mov 0x20(%rdi), %rax
            out %eax, $0xE0
            mov $0xB0000, %esi
            movl $1, (%rsi)
            mov (%rsi), %eax
            out %eax, $0xE0
            in $0xF0, %eax
            out %eax, $0xE0
            out %al, $0xF0
            out %al, $0xE4
            1: jmp 1b
            """, mode: .long)
        guest.registers.onRead = { offset, size in offset << 8 | UInt64(size) }
        #expect(try guest.run() == [.requested])
        #expect(
            guest.registers.written == [
                .init(offset: 0, size: 1, value: 0x11), .init(offset: 2, size: 2, value: 0x2222),
                .init(offset: 4, size: 4, value: 0x4444_4444), .init(offset: 8, size: 8, value: 0x8888_8888_8888_8888),
            ])
        #expect(guest.port.values == [0x01, 0x2008, 0xFFFF_FFFF, 0xFFFF_FFFF])
    }

    @Test("An ioeventfd signals its event for its value only, without an access to the device")
    func ioeventfds() throws {
        let guest = try KVMGuest(
            """
            .code64
            mov $0xA0100, %edi
            movl $3, (%rdi)
            movl $4, (%rdi)
            out %al, $0xE4
            1: jmp 1b
            """, mode: .long)
        let event = try EventNotifier()
        #expect(guest.machine.connect(event, at: 0xA0100, size: 4, value: 3))
        #expect(try guest.run() == [.requested])
        #expect(guest.registers.written == [.init(offset: 0x100, size: 4, value: 4)])
        #expect(isSignalled(event))
        guest.machine.disconnect(event, at: 0xA0100, size: 4, value: 3)
    }
}
