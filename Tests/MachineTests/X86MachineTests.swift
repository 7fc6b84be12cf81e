import Aerie
import Foundation
import GuestToolchain
import TestSupport
import Testing

@Suite("x86-64 machines", .enabled(if: X86Host.refusal == nil, "this host has no KVM for us")) struct X86MachineTests {
    private let directory = TemporaryDirectory()

    private func configuration(_ program: String, cpus: Int = 1) throws -> Configuration {
        var configuration = Configuration()
        configuration.architecture = .x86_64
        configuration.kernel = try X86Toolchain.program(program).path
        configuration.memory = .mebibytes(16)
        configuration.cpus = cpus
        return configuration
    }

    private func run(_ configuration: Configuration) throws -> (VirtualMachine.Outcome, String) {
        let console = RecordingConsole()
        let machine = try VirtualMachine(configuration, console: console)
        console.tellToEnd()
        try machine.start()
        return (machine.wait(), console.text)
    }

    @Test("A program with a PVH entry is handed everything, writes to its serial port, and switches off")
    func pvh() throws {
        var configuration = try configuration("hello", cpus: 2)
        let initrd = directory.url.appending(path: "initrd")
        try Data("RAM disk".utf8).write(to: initrd)
        configuration.initrd = initrd.path
        configuration.commandLine = "one two=3"
        let (outcome, text) = try run(configuration)
        #expect(outcome == .poweredOff)
        #expect(
            text == """
                magic 336ec578 version 1
                command line: one two=3
                modules 1: RAM disk
                map 0 a0000 1
                map a0000 60000 2
                map 100000 f00000 1
                map e0000000 10000000 2
                root RSD PTR 

                """)
    }

    @Test("A driver finds its disk on PCI, moves its registers, reads and writes it, and is told by messages")
    func disk() throws {
        var configuration = try configuration("disk")
        let image = directory.url.appending(path: "disk.img")
        var content = [UInt8](repeating: 0, count: 4096)
        content.replaceSubrange(512..<528, with: Array("sector number 1!".utf8))
        try Data(content).write(to: image)
        configuration.disks = [Disk(path: image.path)]
        let (outcome, text) = try run(configuration)
        #expect(outcome == .poweredOff)
        #expect(
            text == """
                kinds c 0 sizes 4000 1000
                queues 1 1 ffff
                vectors 2
                status f
                read 0 sector number 1!
                write 0 interrupts 2

                """)
        let written = [UInt8](try Data(contentsOf: image))
        #expect(Array(written[1024..<1536]) == (0..<512).map { UInt8(truncatingIfNeeded: $0) ^ 0x5A })
        #expect(written[..<1024].elementsEqual(content[..<1024]))
    }

    @Test("A driver finds the memory device on PCI, plugs memory above 4 GiB, uses it, and unplugs a block of it")
    func growth() throws {
        var configuration = try configuration("memory")
        configuration.memoryGrowth = MemoryGrowth(limit: .mebibytes(80))
        let console = RecordingConsole()
        let machine = try VirtualMachine(configuration, console: console)
        try machine.setMemoryTarget(.mebibytes(22))
        console.tellToEnd()
        try machine.start()
        #expect(machine.wait() == .poweredOff)
        #expect(
            console.text == """
                region 100000000 8000000 requested 600000
                plug 0 1 holds 1234 plugged 600000
                unplug 0 3 holds 0 plugged 400000
                state 0 2

                """)
        #expect(machine.memoryStatistics.size == .mebibytes(20))
    }

    @Test("A machine whose memory can grow is saved again and again")
    func savingWithGrowth() throws {
        var configuration = try configuration("counting")
        let (_, expected) = try run(configuration)
        configuration.memoryGrowth = MemoryGrowth(limit: .mebibytes(80))
        let printed = try runMoving(configuration, through: directory.url.appending(path: "grown").path, count: 3) {
            _ in
            usleep(7919)
        }
        #expect(printed == expected)
    }

    @Test("A machine saved again and again goes on in a new one as if nothing had happened")
    func saving() throws {
        let configuration = try configuration("counting")
        let (outcome, expected) = try run(configuration)
        #expect(outcome == .poweredOff)
        #expect(expected.hasPrefix("........ "))
        let printed = try runMoving(configuration, through: directory.url.appending(path: "saved").path, count: 8) {
            moves in
            // Moments that have nothing to do with the guest's rounds.
            usleep(UInt32((moves + 1) * 7919 % 20_000))
        }
        #expect(printed == expected)
    }

    @Test("A paused machine stands still, and goes on when it is resumed")
    func pausing() throws {
        let configuration = try configuration("counting", cpus: 2)
        let (_, expected) = try run(configuration)
        let console = RecordingConsole()
        let machine = try VirtualMachine(configuration, console: console)
        try machine.start()
        try machine.pause()
        let before = console.text
        usleep(50_000)
        #expect(console.text == before)
        console.tellToEnd()
        try machine.resume()
        #expect(machine.wait() == .poweredOff)
        #expect(console.text == expected)
    }

    @Test("A machine has 64 processors, and says so")
    func sixtyFour() throws {
        let (outcome, text) = try run(try configuration("processors", cpus: 64))
        #expect(outcome == .poweredOff)
        #expect(text == "processors 40, started 3f\n")
    }

    @Test("A guest ends the machine with a code of its own by the test device")
    func codes() throws {
        let (outcome, text) = try run(try configuration("code"))
        #expect(outcome == .failed(code: 7))
        #expect(text == "ending with 7\n")
    }

    @Test("What this machine cannot be is refused in the words of the options")
    func refusals() throws {
        var configuration = try configuration("hello")
        configuration.engine = .interpret
        #expect(
            error(configuration)?.description.hasPrefix("--engine interpret: x86_64 guests run through KVM only")
                == true)
        configuration.engine = .kvm
        configuration.transport = .mmio
        #expect(error(configuration)?.category == .unavailable)
        configuration.transport = nil
        configuration.interrupts = .plic
        #expect(
            error(configuration)?.description
                == "--interrupts plic: the x86_64 machine has the interrupt controllers of a PC; leave it out")
        configuration.interrupts = nil
        configuration.firmware = configuration.kernel
        #expect(
            error(configuration)?.description
                == "--firmware: the x86_64 machine's firmware finds what it starts on a disk; "
                + "leave the kernel, or the firmware, out")
        configuration.firmware = nil
        configuration.architecture = .riscv64
        #expect(
            error(configuration)?.description.hasPrefix(
                "--engine kvm: KVM runs guests of the host's own architecture, and this one is riscv64") == true)
    }

    @Test("A triple fault ends the machine with the reason")
    func tripleFault() throws {
        let configuration = try configuration("fault")
        let (outcome, _) = try run(configuration)
        guard case .crashed(let reason) = outcome else {
            Issue.record("\(outcome)")
            return
        }
        #expect(
            reason.hasPrefix(
                "vCPU 0: triple fault; in 64-bit mode, ring 0, rip 0x"))
    }

    private func error(_ configuration: Configuration) -> AerieError? {
        do throws(AerieError) {
            try configuration.validate()
            return nil
        } catch {
            return error
        }
    }
}
