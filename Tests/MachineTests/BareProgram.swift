import Aerie
import GuestToolchain

/// A bare-metal program as the firmware of a machine, in a directory that goes away with it.
final class BareProgram: Sendable {
    private let directory = TemporaryDirectory()
    let configuration: Configuration

    /// Builds `sources` of the shared guest programs.
    init(_ sources: [String], harts: Int = 1, flags: [String] = []) throws {
        let file = try directory.file(
            "program.bin", try Toolchain.build(sources, flags: ["-DHARTS=\(harts)"] + flags))
        var configuration = Configuration()
        configuration.firmware = file
        configuration.memory = .mebibytes(16)
        configuration.cpus = harts
        self.configuration = configuration
    }

    /// Builds `sources` as a kernel, which starts in S-mode with SBI below it.
    init(kernel sources: [String], harts: Int, flags: [String]) throws {
        let file = try directory.file(
            "Image", try Toolchain.build(sources, at: 0x8020_0000, flags: ["-DHARTS=\(harts)"] + flags))
        var configuration = Configuration()
        configuration.kernel = file
        configuration.memory = .mebibytes(16)
        configuration.cpus = harts
        self.configuration = configuration
    }

    /// A path for a file of the test.
    func path(_ name: String) -> String { directory.path(name) }
}
