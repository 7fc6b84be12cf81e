internal import ControlAPI
internal import FoundationEssentials
internal import GuestImages
internal import Runtime

/// The machines, images and snapshots of a user on this host.
///
/// There is no daemon: a store is a description of directories, which programs and the `aerie` command share. A machine runs in a jailed process of
/// its own and goes on when the program that started it ends, unless `withMachine` made it.
public struct MachineStore: Sendable {
    let directory: StateDirectory
    let imageStore: ImageStore
    let environment: [String: String]
    private let program: String?

    var snapshotStore: SnapshotStore { SnapshotStore(beside: directory) }

    /// The store of the user who runs this program, or one in other directories.
    ///
    /// - Parameters:
    ///   - stateDirectory: an absolute path for machines and snapshots; nil for `$XDG_STATE_HOME/aerie`, or `~/.local/state/aerie`.
    ///   - imageDirectory: an absolute path for images; nil for `$XDG_DATA_HOME/aerie/images`, or `~/.local/share/aerie/images`.
    ///   - program: the path of the program `aerie-vm`; nil to look beside this program, in `../libexec/aerie` and in PATH, in this order.
    /// - Throws: `usage` for a relative path, and `unavailable` when the environment names no home directory. The directories are made when they
    ///   are needed.
    public init(
        stateDirectory: String? = nil, imageDirectory: String? = nil, program: String? = nil
    ) throws(AerieError) {
        environment = ProcessInfo.processInfo.environment
        for case let path? in [stateDirectory, imageDirectory] where !path.hasPrefix("/") {
            throw AerieError(
                .usage, asked: "the directory '\(path)'", found: "it is a relative path", advice: "give an absolute one"
            )
        }
        directory =
            if let stateDirectory {
                StateDirectory(path: "\(stateDirectory)/machines")
            } else {
                try StateDirectory(environment: environment)
            }
        do throws(ImageError) {
            var directories = try ImageDirectories(environment: environment)
            if let imageDirectory { directories.images = imageDirectory }
            imageStore = ImageStore(directories: directories)
        } catch { throw AerieError(image: error) }
        self.program = program
    }

    func starter() throws(AerieError) -> MachineStarter {
        MachineStarter(images: imageStore, program: try MachineProgram(embedded: program))
    }

    // MARK: Images

    /// All images, by name.
    public func images() async throws(AerieError) -> [GuestImage] {
        try await BlockingWork.run("images") { imageStore.list().map { GuestImage(stored: $0) } }
    }

    /// The image of a name.
    ///
    /// - Parameters:
    ///   - name: as `NAME` or `NAME:TAG`, such as `debian`.
    ///   - architecture: riscv64 or x86_64.
    /// - Throws: `usage` when there is none, and `badInput` when its files are damaged.
    public func image(
        _ name: String, architecture: Configuration.Architecture = .riscv64
    ) async throws(AerieError) -> GuestImage {
        try await BlockingWork.run("image") { () throws(AerieError) in
            try AerieError.wrapping("image '\(name)'") {
                let reference = try ImageReference(parsing: name)
                return GuestImage(
                    stored: try imageStore.image(reference, try ImageArchitecture(parsing: architecture.rawValue)))
            }
        }
    }

    /// Builds an image and stores it, in place of an older one of its name. It takes minutes, and needs the tools that `aerie doctor` lists.
    ///
    /// A task that is cancelled ends the build, of which nothing stays.
    ///
    /// - Parameter onProgress: called often, on any thread.
    /// - Throws: `usage` for a recipe that cannot be built, `unavailable` when the host lacks a tool, space or the archive, and `cancelled`.
    public func buildImage(
        _ recipe: ImageRecipe, onProgress: @escaping @Sendable (ImageProgress) -> Void = { _ in }
    ) async throws(AerieError) -> GuestImage {
        let asked = "building an image"
        do {
            let image = try await ImageBuilder.run(
                try recipe.options(), store: imageStore, environment: environment,
                progress: { onProgress(ImageProgress($0)) })
            return GuestImage(stored: image)
        } catch {
            try AerieError.checkCancellation(asked)
            throw AerieError(wrapping: error, asked)
        }
    }

    /// Removes an image: its name at once, its files when no machine needs them.
    ///
    /// - Throws: `usage` when there is none, `unavailable` when a running machine uses it.
    public func removeImage(_ image: GuestImage) async throws(AerieError) {
        try await BlockingWork.run("image-remove") { () throws(AerieError) in
            let records = directory.machines().map(\.record) + snapshotStore.snapshots().map(\.record.machine)
            try AerieError.wrapping("removing the image \(image.name)") {
                let manifest = image.stored.manifest
                try imageStore.remove(
                    manifest.reference, manifest.architecture, keeping: Set(records.compactMap { $0.image?.identity }))
            }
        }
    }
}
