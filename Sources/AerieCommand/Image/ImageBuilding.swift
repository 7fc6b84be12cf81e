internal import Aerie
internal import Foundation
internal import GuestImages
internal import HostSystem

/// Builds an image with its progress on standard error, for `aerie image build` and for the first `aerie run` of an image.
struct ImageBuilding {
    private let reference: ImageReference
    private var options: BuildOptions

    /// - Throws: an error when the name is none that can be built.
    init(
        _ reference: ImageReference, _ architecture: ImageArchitecture, _ options: BuildOptions = BuildOptions()
    ) throws(AerieError) {
        guard reference.name == "debian" else {
            throw AerieError(
                .usage, asked: "building image \(reference)", found: "only debian can be built",
                advice: "use debian or debian:SUITE")
        }
        self.reference = reference
        self.options = options
        self.options.suite = reference.tag
        self.options.architecture = architecture
    }

    func run() async throws -> StoredImage {
        let builder = DebianImageBuilder(
            store: try userImageStore(), options: options, environment: ProcessInfo.processInfo.environment)
        let progress = ProgressDisplay(title: "\(options.reference ?? reference)")
        let build = Task {
            try await builder.build(progress: { progress.show($0) }) { try await SecondStage($0).run() }
        }
        let interruption = Interruption { build.cancel() }
        do throws(SystemError) {
            try interruption.start()
        } catch {
            build.cancel()
            throw AerieError(opening: "building image \(reference)", error)
        }
        let result = await build.result
        progress.finish()
        switch result {
        case .success: interruption.finish(nil)
        case .failure(let error): interruption.finish((error as? ImageError)?.message ?? "\(error)")
        }
        return try result.get()
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
        try machine.start()
        let outcome = await withTaskCancellationHandler {
            // `wait` blocks, which a thread of the cooperative pool must not.
            await withCheckedContinuation { continuation in
                Thread.detachNewThread { continuation.resume(returning: machine.wait()) }
            }
        } onCancel: {
            machine.kill()
        }
        try Task.checkCancellation()
        guard outcome == .poweredOff else {
            throw AerieError(.internalError, asked: "the guest", found: "it ended with \(outcome)")
        }
    }
}
