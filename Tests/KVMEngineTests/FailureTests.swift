import CKVM
import GuestMemory
import HostSystem
import Machine
import Testing

@testable import KVMEngine

@Suite("KVM: exits and failures", .enabled(if: Host.hasKVM, "this host has no KVM for us")) struct FailureTests {
    private func failure(_ exits: [ProcessorExit]) -> String {
        guard case .failed(let reason)? = exits.first else { return "\(exits)" }
        return reason
    }

    @Test("A triple fault ends the run with the vCPU's state in the message")
    func tripleFault() throws {
        let guest = try KVMGuest(
            """
            .code64
            lidt none(%rip)
            ud2
            none: .word 0
            .quad 0
            """, mode: .long)
        let reason = failure(try guest.run())
        #expect(
            reason.hasPrefix(
                "triple fault; in 64-bit mode, ring 0, rip 0x8007, cs 0x10"))
        #expect(reason.hasSuffix("cr3 0x2000, cr4 0x20, efer 0x500"))
    }

    @Test("An exit requested before or during an endless loop ends the run, and the vCPU can run again")
    func kicks() throws {
        let guest = try KVMGuest(
            """
            .code16
            xor %eax, %eax
            mov $1, %dl
            out %al, $0xE0
            1: inc %eax
            jmp 1b
            """)
        guest.processors[0].requestExit()
        #expect(try guest.run() == [.requested])
        #expect(guest.port.values == [])
        for _ in 0..<3 {
            let exits = try guest.run {
                guest.port.wait(count: 1)
                guest.processors[0].requestExit()
            }
            #expect(exits == [.requested])
        }
        #expect(guest.port.values == [0])
        #expect(try guest.processors[0].state().registers.rip >= KVMGuest.program)
    }

    @Test("A requested exit ends the run of a halted vCPU and of one that waits for SIPI")
    func kicksOfSleepers() throws {
        let guest = try KVMGuest(
            """
            .code16
            cli
            mov $1, %al
            out %al, $0xE0
            hlt
            """, cpus: 2)
        let exits = try guest.run {
            guest.port.wait(count: 1)
            for processor in guest.processors { processor.requestExit() }
        }
        #expect(exits == [.requested, .requested])
    }

    @Test("INT3 reaches its handler, which returns to the next instruction, on native and on emulating KVMs")
    func breakpoint() throws {
        let guest = try KVMGuest(
            LongMode.prologue + """
                lea breakpoint(%rip), %rax
                mov $3, %edi
                call set_gate
                int3
                after: mov $0xAF, %al
                out %al, $0xE0
                out %al, $0xE4
                1: jmp 1b
                breakpoint:
                mov (%rsp), %rax
                sub $after, %rax
                out %al, $0xE0
                iretq
                """, mode: .long)
        #expect(try guest.run() == [.requested])
        #expect(guest.port.values == [0, 0xAF])
    }

    @Test("The message of an emulation failure has the instruction's bytes and the vCPU's state")
    func emulationFailure() throws {
        let guest = try KVMGuest(".code64\n1: jmp 1b", mode: .long)
        let processor = guest.processors[0]
        let area = UnsafeMutableRawPointer.allocate(byteCount: 4096, alignment: 16)
        defer { area.deallocate() }
        area.initializeMemory(as: UInt8.self, repeating: 0, count: 4096)
        area.storeBytes(
            of: UInt32(KVM_INTERNAL_ERROR_EMULATION), toByteOffset: AERIE_RUN_INTERNAL_SUBERROR, as: UInt32.self)
        area.storeBytes(of: 4, toByteOffset: AERIE_RUN_INTERNAL_COUNT, as: UInt32.self)
        area.storeBytes(of: 1, toByteOffset: AERIE_RUN_INTERNAL_DATA, as: UInt64.self)
        // The size and four bytes of CMPXCHG16B.
        area.storeBytes(of: 0x0FC7_0F04_F0 as UInt64, toByteOffset: AERIE_RUN_INTERNAL_DATA + 8, as: UInt64.self)
        for (index, byte) in ([4, 0xF0, 0x48, 0x0F, 0xC7] as [UInt8]).enumerated() {
            area.storeBytes(of: byte, toByteOffset: AERIE_RUN_INTERNAL_DATA + 8 + index, as: UInt8.self)
        }
        #expect(
            processor.completeOrDescribe(area)?.hasPrefix(
                "KVM cannot emulate the instruction f0 48 0f c7; in 64-bit mode, ring 0, rip 0x8000") == true)
        // Without bytes from the kernel, the message has those in guest memory.
        area.storeBytes(of: 0, toByteOffset: AERIE_RUN_INTERNAL_COUNT, as: UInt32.self)
        #expect(
            processor.completeOrDescribe(area)?.hasPrefix("KVM cannot emulate the instruction eb fe 00") == true)
        area.storeBytes(
            of: UInt32(KVM_INTERNAL_ERROR_DELIVERY_EV), toByteOffset: AERIE_RUN_INTERNAL_SUBERROR, as: UInt32.self)
        area.storeBytes(of: 1, toByteOffset: AERIE_RUN_INTERNAL_COUNT, as: UInt32.self)
        area.storeBytes(of: 0x77, toByteOffset: AERIE_RUN_INTERNAL_DATA, as: UInt64.self)
        #expect(
            processor.completeOrDescribe(area)?.hasPrefix(
                "KVM internal error (an exit while an event was delivered, data 0x77); in 64-bit mode") == true)
    }

    @Test("An invalid vCPU state is an error")
    func entryFailure() throws {
        let guest = try KVMGuest(".code64\n1: jmp 1b", mode: .long)
        var state = try guest.processors[0].state()
        // Paging without protection.
        state.specialRegisters.cr0 = 0x8000_0010
        #expect(throws: KVMError.self) { try guest.processors[0].setState(state) }
    }

    @Test("More vCPUs than the kernel allows are refused")
    func tooManyVCPUs() throws {
        let system = try KVMSystem()
        let limit = system.maximumVCPUs
        let machine = try KVMMachine(system, irqchip: .full)
        let memory = try GuestMemory(ranges: [(0, 4096)])
        #expect(throws: KVMError.tooManyVCPUs(asked: limit + 1, limit: limit)) {
            _ = try X86Processor(
                index: 0, count: limit + 1, machine: machine, cpuid: try CPUIDModel(system), system: system,
                addressSpace: AddressSpace(memory: memory), ports: PortSpace(), events: { _ in })
        }
    }
}
