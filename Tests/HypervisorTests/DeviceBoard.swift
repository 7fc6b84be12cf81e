import Foundation
import GuestToolchain

/// A board for tests of the hypervisor, with a disk if one is given. Boards have a PLIC, or as their names say an APLIC, or an APLIC with IMSICs;
/// Aerie's and one of QEMU's have guest interrupt files in these.
enum DeviceBoard: String, CaseIterable, CustomStringConvertible {
    /// QEMU's `virt` has legacy virtio devices over MMIO, unless it is told otherwise.
    case qemuLegacy, qemu, qemuAPLIC, qemuIMSIC, qemuIMSICFiles
    case aerieTranslator, aerieInterpreter, aerieLegacy
    case aerieAPLIC, aerieAPLICInterpreter, aerieIMSIC, aerieIMSICInterpreter

    /// All that the host has: QEMU has APLICs and IMSICs from version 7.0 on.
    static let present = allCases.filter { $0.machine == "virt" || hasAPLIC }
    /// Those whose controller is not the PLIC.
    static let withAPLIC = present.filter { $0.controller != "plic" }
    private static let hasAPLIC: Bool = {
        guard let qemu = HypervisorImage.qemu, let help = try? HostProgram.run(qemu, ["-M", "virt,help"]) else {
            return false
        }
        return String(decoding: help.output, as: UTF8.self).contains("aia=")
    }()

    var description: String { rawValue }

    var isQEMU: Bool { rawValue.hasPrefix("qemu") }
    /// QEMU's.
    private var machine: String {
        switch self {
        case .qemuAPLIC: "virt,aia=aplic"
        case .qemuIMSIC: "virt,aia=aplic-imsic"
        case .qemuIMSICFiles: "virt,aia=aplic-imsic,aia-guests=2"
        default: "virt"
        }
    }
    /// Whether its harts have guest interrupt files.
    var hasGuestFiles: Bool { self == .qemuIMSICFiles || !isQEMU && controller == "aia" }
    /// As `--interrupts` has it.
    private var controller: String {
        rawValue.contains("APLIC") ? "aplic" : rawValue.contains("IMSIC") ? "aia" : "plic"
    }

    /// The file of the board's disk, of `sectors` sectors full of dots.
    static func disk(sectors: Int) throws -> String {
        try HypervisorImage.directory.file(
            "\(UUID().uuidString).raw", [UInt8](repeating: UInt8(ascii: "."), count: 512 * sectors))
    }

    /// Runs the guests of a GUESTS.json until the machine powers off.
    func run(_ description: String, harts: Int, disk: String? = nil) throws -> [String] {
        let home = TemporaryDirectory()
        return try HypervisorImage.lines(description) { image in
            let command = try command(image, harts: harts, disk: disk, home: home)
            return try HostProgram.run(command[0], Array(command.dropFirst()))
        }
    }

    /// The words of a command that runs an image, whose console is the command's input and output.
    ///
    /// - Parameter home: Aerie keeps there what it writes.
    func command(_ image: String, harts: Int, disk: String?, home: TemporaryDirectory) throws -> [String] {
        if isQEMU {
            guard let qemu = HypervisorImage.qemu else {
                throw HostProgram.Failure(description: "qemu-system-riscv64 is not installed")
            }
            let legacy = self == .qemuLegacy ? [] : ["-global", "virtio-mmio.force-legacy=false"]
            let drive = disk.map {
                ["-drive", "file=\($0),format=raw,if=none,id=disk", "-device", "virtio-blk-device,drive=disk"]
            }
            return [qemu] + HypervisorImage.board(harts: harts, machine: machine) + legacy + (drive ?? [])
                + ["-kernel", image]
        }
        // Beside the test bundle, which is the running program.
        let aerie = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
            .appending(path: "aerie").path
        return [
            "/usr/bin/env", "-u", "XDG_STATE_HOME", "-u", "XDG_CACHE_HOME", "-u", "XDG_DATA_HOME",
            "HOME=\(home.path)", aerie, "run", "--kernel", image, "--cpu", "max,h=on", "--cpus", "\(harts)",
            "--memory", "512M", "--network", "none",
        ] + (disk.map { ["--disk", $0] } ?? []) + options
    }

    /// Aerie's.
    private var options: [String] {
        let transport = ["--transport", self == .aerieLegacy ? "mmio-legacy" : "mmio"]
        let isInterpreted = rawValue.hasSuffix("Interpreter")
        let engine = ["--engine", isInterpreted ? "interpret" : "translate"]
        return transport + engine + ["--interrupts", controller]
    }
}
