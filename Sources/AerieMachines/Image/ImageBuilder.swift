internal import Aerie
package import GuestImages

/// Builds an image, and boots the guest that finishes its packages.
package enum ImageBuilder {
    /// - Parameters:
    ///   - environment: where tools and settings are looked up.
    ///   - progress: called often, on any thread.
    /// - Throws: `usage` for a name that cannot be built, and the errors of the builder.
    package static func run(
        _ options: BuildOptions, store: ImageStore, environment: [String: String],
        progress: @escaping @Sendable (BuildProgress) -> Void
    ) async throws -> StoredImage {
        let builder = DebianImageBuilder(store: store, options: options, environment: environment)
        return try await builder.build(progress: progress) { guest in try await SecondStage(guest).run() }
    }
}

/// The guest that finishes an image's packages, with the image builder at its console.
private struct SecondStage {
    private let guest: GuestRun

    /// A guest's console of which only the output matters.
    private final class Listener: ConsoleChannel {
        private let receive: @Sendable ([UInt8]) -> Void

        init(_ receive: @escaping @Sendable ([UInt8]) -> Void) {
            self.receive = receive
        }

        func read(limit: Int) -> [UInt8] { [] }
        func write(_ bytes: [UInt8]) -> Int {
            receive(bytes)
            return bytes.count
        }

        func setHandler(_ handler: (@Sendable () -> Void)?) {}
        var windowSize: (columns: UInt16, rows: UInt16)? { nil }
    }

    init(_ guest: GuestRun) {
        self.guest = guest
    }

    func run() async throws {
        var configuration = Configuration()
        // The names are the same: what `uname -m` prints.
        configuration.architecture = Configuration.Architecture(rawValue: guest.architecture.rawValue) ?? .riscv64
        configuration.kernel = guest.kernel
        configuration.initrd = guest.initrd
        configuration.commandLine = guest.commandLine
        configuration.memory = ByteSize(bytes: guest.memory)
        configuration.disks = [Disk(path: guest.disk)]
        configuration.restartsOnReset = false
        let machine = try VirtualMachine(configuration, console: Listener(guest.console))
        try await machine.start()
        // A task of its own: a build that is cancelled waits for the end of the guest, too, whose files it removes then.
        let end = Task { try await machine.outcome }
        let outcome = try await withTaskCancellationHandler {
            try await end.value
        } onCancel: {
            machine.kill()
        }
        try Task.checkCancellation()
        guard outcome == .poweredOff else {
            throw AerieError(.internalError, asked: "the guest", found: "it ended with \(outcome)")
        }
    }
}
