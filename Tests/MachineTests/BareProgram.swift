import Aerie
import Foundation
import GuestToolchain

/// A bare-metal program as the firmware of a machine, in a directory that goes away with it.
final class BareProgram {
    private let directory: URL
    let configuration: Configuration

    /// Builds `sources` of the shared guest programs.
    init(_ sources: [String], harts: Int = 1, flags: [String] = []) throws {
        directory = FileManager.default.temporaryDirectory.appending(path: "aerie-machine-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        let file = directory.appending(path: "program.bin")
        try Data(Toolchain.build(sources, flags: ["-DHARTS=\(harts)"] + flags)).write(to: file)
        var configuration = Configuration()
        configuration.firmware = file.path
        configuration.memory = .mebibytes(16)
        configuration.cpus = harts
        self.configuration = configuration
    }

    /// Builds `sources` as a kernel, which starts in S-mode with SBI below it.
    init(kernel sources: [String], harts: Int, flags: [String]) throws {
        directory = FileManager.default.temporaryDirectory.appending(path: "aerie-machine-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        let file = directory.appending(path: "Image")
        try Data(Toolchain.build(sources, at: 0x8020_0000, flags: ["-DHARTS=\(harts)"] + flags)).write(to: file)
        var configuration = Configuration()
        configuration.kernel = file.path
        configuration.memory = .mebibytes(16)
        configuration.cpus = harts
        self.configuration = configuration
    }

    deinit { try? FileManager.default.removeItem(at: directory) }

    /// A path for a file of the test.
    func path(_ name: String) -> String { directory.appending(path: name).path }
}
