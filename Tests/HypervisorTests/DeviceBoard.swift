import Foundation
import GuestToolchain

/// A board for tests of the hypervisor, with a disk if one is given.
enum DeviceBoard: String, CaseIterable, CustomStringConvertible {
    /// QEMU's `virt` has legacy virtio devices over MMIO, unless it is told otherwise.
    case qemuLegacy, qemu
    case aerieTranslator, aerieInterpreter, aerieLegacy

    var description: String { rawValue }

    /// The file of the board's disk, of `sectors` sectors full of dots.
    static func disk(sectors: Int) throws -> String {
        try HypervisorImage.directory.file(
            "\(UUID().uuidString).raw", [UInt8](repeating: UInt8(ascii: "."), count: 512 * sectors))
    }

    /// Runs the guests of a GUESTS.json until the machine powers off.
    func run(_ description: String, harts: Int, disk: String? = nil) throws -> [String] {
        switch self {
        case .qemuLegacy: return try Self.onQEMU(description, harts, disk, [])
        case .qemu: return try Self.onQEMU(description, harts, disk, ["-global", "virtio-mmio.force-legacy=false"])
        case .aerieTranslator: return try Self.onAerie(description, harts, disk, ["--engine", "translate"])
        case .aerieInterpreter: return try Self.onAerie(description, harts, disk, ["--engine", "interpret"])
        case .aerieLegacy: return try Self.onAerie(description, harts, disk, ["--transport", "mmio-legacy"])
        }
    }

    private static func onQEMU(
        _ description: String, _ harts: Int, _ disk: String?, _ options: [String]
    ) throws -> [String] {
        let drive = disk.map {
            ["-drive", "file=\($0),format=raw,if=none,id=disk", "-device", "virtio-blk-device,drive=disk"]
        }
        return try HypervisorImage.run(description, harts: harts, devices: options + (drive ?? []))
    }

    private static func onAerie(
        _ description: String, _ harts: Int, _ disk: String?, _ options: [String]
    ) throws -> [String] {
        // Beside the test bundle, which is the running program.
        let aerie = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
            .appending(path: "aerie").path
        let directory = TemporaryDirectory()
        let transport = options.contains("--transport") ? [] : ["--transport", "mmio"]
        return try HypervisorImage.lines(description) { image in
            // Aerie keeps what it writes below HOME.
            try HostProgram.run(
                "/usr/bin/env",
                [
                    "-u", "XDG_STATE_HOME", "-u", "XDG_CACHE_HOME", "-u", "XDG_DATA_HOME", "HOME=\(directory.path)",
                    aerie,
                ]
                    + ["run", "--kernel", image, "--cpu", "max,h=on", "--cpus", "\(harts)", "--memory", "512M"]
                    + ["--network", "none"] + (disk.map { ["--disk", $0] } ?? []) + transport + options)
        }
    }
}
