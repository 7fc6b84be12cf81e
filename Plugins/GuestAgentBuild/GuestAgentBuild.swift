import Foundation
import PackagePlugin

/// Builds the guest's agent with the compiler of this package's own toolchain, and makes one Swift file of the programs.
@main
struct GuestAgentBuild: BuildToolPlugin {
    /// Everything that the agent is built from, relative to the package's root.
    private static let sources = ["guest", "Sources/AgentProtocol", "Sources/TarStream"]

    func createBuildCommands(context: PluginContext, target: any Target) throws -> [Command] {
        let root = context.package.directoryURL
        let compiler = try context.tool(named: "swiftc").url
        return try ["riscv64", "x86_64"].map { architecture in
            // The name has the architecture once as a Swift name: x86_64 and riscv64 are ones.
            let output = context.pluginWorkDirectoryURL.appending(path: "GuestAgent_\(architecture).swift")
            return .buildCommand(
                displayName: "Building the guest's agent for \(architecture)",
                executable: URL(filePath: "/bin/sh"),
                arguments: [
                    root.appending(path: "guest/build").path, compiler.deletingLastPathComponent().path, architecture,
                    root.path, output.path, context.pluginWorkDirectoryURL.appending(path: architecture).path,
                ],
                inputFiles: try Self.sources.flatMap { try files(under: root.appending(path: $0)) },
                outputFiles: [output])
        }
    }

    private func files(under directory: URL) throws -> [URL] {
        try FileManager.default.subpathsOfDirectory(atPath: directory.path).sorted()
            .map { directory.appending(path: $0) }
            .filter { (try? $0.resourceValues(forKeys: [.isRegularFileKey]).isRegularFile) == true }
    }
}
