import Aerie
import GuestToolchain
import Testing

/// The RISC-V board as drivers written for QEMU's `virt` find it.
@Suite("The board as drivers see it") struct BoardTests {
    private static let engines = [Configuration.Engine.interpret, .translate]

    private func check(_ program: BareProgram, _ change: (inout Configuration) -> Void) throws {
        var configuration = program.configuration
        change(&configuration)
        let console = RecordingConsole()
        let machine = try VirtualMachine(configuration, console: console)
        try machine.start()
        #expect(machine.wait() == .poweredOff, "\(console.text)")
    }

    private static func flags(version: Int, devices: [Int], function: UInt32 = .max) -> [String] {
        let list = (devices + Array(repeating: 0, count: 8 - devices.count)).map(String.init).joined(separator: ",")
        return ["-DVERSION=\(version)", "-DDEVICES={\(list)}", "-DFUNCTION=\(function)u"]
    }

    @Test(
        "Identities and reset values are QEMU's, and all eight slots answer, with every transport",
        arguments: engines, [Configuration.Transport.mmio, .mmioLegacy, .pci])
    func identities(engine: Configuration.Engine, transport: Configuration.Transport) throws {
        // The devices are the source of random numbers, 4, and the balloon, 5. On the bus is the notifier of panics, where QEMU has none.
        let flags =
            switch transport {
            case .mmio: Self.flags(version: 2, devices: [4, 5], function: 0x0011_1B36)
            case .mmioLegacy: Self.flags(version: 1, devices: [4, 5], function: 0x0011_1B36)
            case .pci: Self.flags(version: 2, devices: [], function: 0x1044_1AF4) + ["-DPORT=\(0x000C_1B36)u"]
            }
        try check(BareProgram(["runtime.S", "guest.c", "board.c"], flags: flags)) { configuration in
            configuration.engine = engine
            configuration.transport = transport
        }
    }

    @Test(
        "The same checks hold on QEMU's virt, of either version",
        .enabled(if: HostProgram.find("qemu-system-riscv64") != nil, "qemu-system-riscv64 is not installed"),
        arguments: [1, 2])
    func peer(version: Int) throws {
        let image = try Toolchain.build(
            ["runtime.S", "guest.c", "board.c"], flags: ["-DHARTS=1"] + Self.flags(version: version, devices: []))
        let directory = TemporaryDirectory()
        let file = try directory.file("program.bin", image)
        let qemu = try #require(HostProgram.find("qemu-system-riscv64"))
        let result = try HostProgram.run(
            qemu,
            [
                "-machine", "virt", "-m", "32M", "-bios", file, "-display", "none", "-monitor", "none",
                "-serial", "stdio", "-global", "virtio-mmio.force-legacy=\(version == 1)",
            ])
        #expect(result.status == 0, "\(String(decoding: result.output, as: UTF8.self))")
    }
}
