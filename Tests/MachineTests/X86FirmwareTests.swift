import Aerie
import Foundation
import GuestToolchain
import Testing

@Suite("x86-64 firmware", .enabled(if: X86Host.refusal == nil, "this host has no KVM for us")) struct X86FirmwareTests {
    private let directory = TemporaryDirectory()

    /// 64 KiB that end at 4 GiB: from the reset vector to protected and to 64-bit mode, with a letter for each; then a write
    /// to the chip, which changes nothing, and a comparison with the copy below 1 MiB.
    private static let program = """
        .include "long-mode.inc"
        .code16
        base:
        .fill 0xF000, 1, 0x90
        start:
        cli
        mov $0x3F8, %dx
        mov $'R', %al
        out %al, %dx
        lgdtl %cs:(gdtr - base)
        mov %cr0, %eax
        or $1, %al
        mov %eax, %cr0
        ljmpl $0x8, $protected
        .code32
        protected:
        mov $0x10, %eax
        mov %eax, %ds
        mov %eax, %es
        mov %eax, %ss
        mov $'P', %al
        out %al, %dx
        enter_long_mode 0x10000
        ljmp $0x18, $long
        .code64
        long:
        mov $0x3F8, %edx
        mov $'L', %al
        out %al, %dx
        mov $0xFFFFFFF0, %esi
        mov (%rsi), %eax
        movl $0x12345678, (%rsi)
        mov $'=', %bl
        cmp (%rsi), %eax
        je 3f
        mov $'!', %bl
        3: mov %bl, %al
        out %al, %dx
        mov (%rsi), %eax
        mov $0xFFFF0, %edi
        mov $'=', %bl
        cmp (%rdi), %eax
        je 4f
        mov $'!', %bl
        4: mov %bl, %al
        out %al, %dx
        mov $0x601, %edx
        mov $0x34, %al
        out %al, %dx
        5: hlt
        jmp 5b
        .balign 8
        gdt: .quad 0, 0x00CF9B000000FFFF, 0x00CF93000000FFFF, 0x00AF9B000000FFFF
        gdtr: .word 31
        .long gdt
        .fill 0xFFF0 - (. - base), 1, 0x90
        .code16
        jmp start
        .fill 0x10000 - (. - base), 1, 0x90
        """

    @Test("It starts at the reset vector and gets to 64-bit mode; its chip keeps what it was made with")
    func resetVector() throws {
        var configuration = Configuration()
        configuration.architecture = .x86_64
        configuration.memory = .mebibytes(16)
        let file = directory.url.appending(path: "firmware.bin")
        let bytes = try X86Toolchain.assemble(Self.program, at: 0xFFFF_0000)
        #expect(bytes.count == 0x10000)
        try Data(bytes).write(to: file)
        configuration.firmware = file.path
        let console = RecordingConsole()
        let machine = try VirtualMachine(configuration, console: console)
        try machine.start()
        #expect(machine.wait() == .poweredOff)
        #expect(console.text == "RPL==")
        #expect([UInt8](try Data(contentsOf: file)) == bytes)
    }

    @Test(
        "A firmware file of an invalid size is refused before anything starts",
        arguments: [1000, 4097, 16 << 20 | 4096])
    func badSizes(count: Int) throws {
        var configuration = Configuration()
        configuration.architecture = .x86_64
        let file = directory.url.appending(path: "firmware.bin")
        #expect(FileManager.default.createFile(atPath: file.path, contents: Data(count: count)))
        configuration.firmware = file.path
        #expect(
            throws: AerieError(
                .badInput, asked: "--firmware \(file.path)", found: "the size of \(count) bytes is not valid",
                advice: "give a file of 4K to 16M, a multiple of 4K")
        ) { try VirtualMachine(configuration, console: RecordingConsole()) }
    }
}
