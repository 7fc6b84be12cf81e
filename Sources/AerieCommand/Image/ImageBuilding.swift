internal import Aerie
internal import AerieMachines
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
        let store = try userImageStore()
        let progress = ProgressDisplay(title: "\(options.reference ?? reference)")
        let build = Task { [options] in
            try await ImageBuilder.run(
                options, store: store, environment: ProcessInfo.processInfo.environment, progress: { progress.show($0) }
            )
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
