internal import FoundationEssentials
internal import Glibc
internal import HostSystem

/// The images of one user.
///
///     objects/IDENTITY/      manifest.json, kernel, initial RAM disk, root disk; complete, and never changed
///     tags/ARCH/NAME/TAG     a symbolic link to an object
///     building/KEY[.lock]    a build in progress and the lock its process holds; without a holder it is rubbish
///     store.lock             held for each change of objects and tags together
///
/// Objects and tags only ever appear by rename(2), so whoever looks sees a whole image or none. Only the lock keeps an
/// object that has no tag yet from whoever removes objects without tags. Files are removed after the lock is given up.
package struct ImageStore: Sendable {
    package let directories: ImageDirectories

    package init(directories: ImageDirectories) {
        self.directories = directories
    }

    /// Every tagged image, by name, tag and architecture. One whose files are damaged is left out; `image` says why.
    package func list() -> [StoredImage] {
        ImageArchitecture.allCases.flatMap { architecture in
            Files.list("\(tags)/\(architecture.rawValue)").flatMap { name in
                Files.list("\(tags)/\(architecture.rawValue)/\(name)").compactMap { tag in
                    guard let reference = try? ImageReference(name: name, tag: tag) else { return nil }
                    return try? image(reference, architecture)
                }
            }
        }.sorted { $0.manifest.reference < $1.manifest.reference }
    }

    /// The image that a name stands for.
    ///
    /// - Throws: `.usage` when there is none, `.badInput` when its files are damaged.
    package func image(_ reference: ImageReference, _ architecture: ImageArchitecture) throws(ImageError) -> StoredImage
    {
        guard let target = Files.readLink(tagPath(reference, architecture)) else {
            throw ImageError(
                .usage,
                "image \(reference) (\(architecture.rawValue)): there is none; "
                    + "build it with 'aerie image build \(reference) --arch \(architecture.rawValue)'")
        }
        let identity = String(target.split(separator: "/").last ?? "")
        return try load(identity, wanted: "\(reference)")
    }

    /// Keeps an image from being removed while a guest runs from it.
    ///
    /// - Returns: the lock to hold; other guests may hold it as well.
    package func lease(_ image: StoredImage) throws(ImageError) -> FileLock {
        let path = "\(image.directory)/\(Self.manifestName)"
        if let lock = try FileLock.take(path: path, mode: .shared, create: false), Files.exists(path) { return lock }
        throw ImageError(.unavailable, "image \(image.manifest.reference): it is being removed; build it again")
    }

    /// Keeps the files of an image from being removed, whether it still has a name or not.
    ///
    /// - Parameters:
    ///   - directory: the image's files (`StoredImage.directory`).
    ///   - name: for the error, when they are gone.
    package func lease(directory: String, name: String) throws(ImageError) -> FileLock {
        let path = "\(directory)/\(Self.manifestName)"
        if Files.exists(path), let lock = try FileLock.take(path: path, mode: .shared, create: false) { return lock }
        throw ImageError(.badInput, "image \(name): the files that the machine was made from are gone")
    }

    /// Removes an image: its name at once, its files unless another name stands for them.
    ///
    /// - Parameter kept: identities whose files must stay, because a stopped guest's disk is based on them.
    /// - Throws: `.unavailable` when a running guest holds a lease.
    package func remove(
        _ reference: ImageReference, _ architecture: ImageArchitecture, keeping kept: Set<String> = []
    ) throws(ImageError) {
        guard Files.exists(directories.images) else {
            _ = try image(reference, architecture)
            return
        }
        let discarded = try locked { () throws(ImageError) in
            try untag(reference, architecture, keeping: kept)
        }
        if let discarded { try Files.removeTree(discarded) }
    }

    /// Takes an image's name away, and returns where its files went unless they stay.
    private func untag(
        _ reference: ImageReference, _ architecture: ImageArchitecture, keeping kept: Set<String>
    ) throws(ImageError) -> String? {
        let link = tagPath(reference, architecture)
        guard let target = Files.readLink(link), let identity = target.split(separator: "/").last.map(String.init)
        else {
            _ = try image(reference, architecture)
            return nil
        }
        let shared = taggedIdentities(except: link).contains(identity) || kept.contains(identity)
        guard Files.isDirectory("\(objects)/\(identity)"), !shared else {
            try Files.removeTree(link)
            return nil
        }
        guard let discarded = try discard(identity, before: { () throws(ImageError) in try Files.removeTree(link) })
        else {
            throw ImageError(.unavailable, "image \(reference): a running guest uses it; stop the guest first")
        }
        return discarded
    }

    /// What `prune` removed.
    package struct Pruned: Equatable, Sendable {
        /// Identities of images without a name.
        package var images: [String] = []
        /// Interrupted builds.
        package var builds = 0
        /// Bytes that came free.
        package var bytes: UInt64 = 0
    }

    /// Removes the files of images that have no name and no guest, what interrupted builds left, and on request the
    /// downloads.
    package func prune(keeping kept: Set<String> = [], cache: Bool = false) throws(ImageError) -> Pruned {
        var pruned = Pruned()
        if Files.exists(directories.images) {
            let discarded = try locked { () throws(ImageError) in
                try discardUnused(keeping: kept, &pruned)
                return Files.list(building).filter { $0.hasPrefix(Self.discardedPrefix) }
            }
            for name in discarded { try Files.removeTree("\(building)/\(name)") }
        }
        if cache { try Files.removeTree("\(directories.cache)/debian") }
        return pruned
    }

    /// Moves objects without a name, and builds without a process, out of sight.
    private func discardUnused(keeping kept: Set<String>, _ pruned: inout Pruned) throws(ImageError) {
        let used = taggedIdentities(except: nil).union(kept)
        for identity in Files.list(objects) where !used.contains(identity) {
            let bytes = Files.allocatedSize("\(objects)/\(identity)")
            guard try discard(identity) != nil else { continue }
            pruned.images.append(identity)
            pruned.bytes += bytes
        }
        for name in Files.list(building) where name.hasSuffix(".lock") {
            let key = String(name.dropLast(5))
            guard Files.exists("\(building)/\(key)"),
                let lock = try FileLock.take(path: "\(building)/\(name)", mode: .exclusive, create: true)
            else { continue }
            _ = try move("\(building)/\(key)")
            pruned.builds += 1
            _ = consume lock
        }
    }

    /// Takes the lock of the build in `work`; nil when another build holds it.
    func buildLock(_ work: String) throws(ImageError) -> FileLock? {
        try locked { () throws(ImageError) in
            try FileLock.take(path: "\(work).lock", mode: .exclusive, create: true)
        }
    }

    /// Does something while nobody else changes objects and tags.
    private func locked<Result: ~Copyable>(_ body: () throws(ImageError) -> Result) throws(ImageError) -> Result {
        try Files.makeDirectories(directories.images)
        let lock = try FileLock.wait(path: "\(directories.images)/store.lock")
        let result = try body()
        _ = consume lock
        return result
    }

    static let manifestName = "manifest.json"
    private static let discardedPrefix = "discarded~"

    private var objects: String { "\(directories.images)/objects" }
    private var tags: String { "\(directories.images)/tags" }
    var building: String { "\(directories.images)/building" }

    private func tagPath(_ reference: ImageReference, _ architecture: ImageArchitecture) -> String {
        "\(tags)/\(architecture.rawValue)/\(reference.name)/\(reference.tag)"
    }

    private func load(_ identity: String, wanted: String) throws(ImageError) -> StoredImage {
        let directory = "\(objects)/\(identity)"
        func damaged(_ found: String) -> ImageError {
            ImageError(.badInput, "image \(wanted): \(found); remove it with 'aerie image rm' and build it again")
        }
        let manifest: ImageManifest
        do {
            let bytes = try Files.read("\(directory)/\(Self.manifestName)", limit: 16 << 20)
            manifest = try ImageManifest.decoder.decode(ImageManifest.self, from: Data(bytes))
        } catch let error as ImageError {
            throw damaged("its manifest cannot be read (\(error.message))")
        } catch {
            throw damaged("its manifest is damaged")
        }
        guard manifest.version == ImageManifest.currentVersion else {
            throw damaged("its manifest has version \(manifest.version), not \(ImageManifest.currentVersion)")
        }
        for file in [manifest.kernel, manifest.initrd, manifest.rootDisk] {
            // A manifest's file names must stay in the image's directory.
            guard !file.contains("/"), !file.hasPrefix("."), Files.exists("\(directory)/\(file)") else {
                throw damaged("its file '\(file)' is missing")
            }
        }
        return StoredImage(manifest: manifest, directory: directory, allocatedSize: Files.allocatedSize(directory))
    }

    private func taggedIdentities(except excluded: String?) -> Set<String> {
        var found: Set<String> = []
        for architecture in Files.list(tags) {
            for name in Files.list("\(tags)/\(architecture)") {
                for tag in Files.list("\(tags)/\(architecture)/\(name)") {
                    let path = "\(tags)/\(architecture)/\(name)/\(tag)"
                    guard path != excluded, let target = Files.readLink(path) else { continue }
                    found.insert(String(target.split(separator: "/").last ?? ""))
                }
            }
        }
        return found
    }

    /// Moves an object out of sight unless a guest uses it, and returns where it went. Only with the store's lock.
    private func discard(
        _ identity: String, before: () throws(ImageError) -> Void = {}
    ) throws(ImageError) -> String? {
        let object = "\(objects)/\(identity)"
        let manifest = "\(object)/\(Self.manifestName)"
        guard Files.exists(manifest) else {
            try before()
            return try move(object)
        }
        guard let lock = try FileLock.take(path: manifest, mode: .exclusive, create: false) else { return nil }
        try before()
        let target = try move(object)
        _ = consume lock
        return target
    }

    /// Gives files a name under which they are rubbish, whatever happens to this process.
    private func move(_ path: String) throws(ImageError) -> String {
        try Files.makeDirectories(building, mode: 0o700)
        let target = discardedName()
        try Files.rename(path, to: target)
        return target
    }

    /// Another one each time: what an earlier one names may still be on its way out.
    private func discardedName() -> String {
        "\(building)/\(Self.discardedPrefix)\(getpid())~\(String(UInt64.random(in: 0...UInt64.max), radix: 36))"
    }

    /// Puts a finished image into the store under its name.
    ///
    /// - Parameter directory: the image's files in `building`, with its manifest; it moves away.
    func adopt(_ directory: String, _ manifest: ImageManifest) throws(ImageError) -> StoredImage {
        for name in Files.list(directory) { try Files.synchronize("\(directory)/\(name)") }
        try Files.synchronize(directory)
        return try locked { () throws(ImageError) in try publish(directory, manifest) }
    }

    private func publish(_ directory: String, _ manifest: ImageManifest) throws(ImageError) -> StoredImage {
        try Files.makeDirectories(objects)
        let object = "\(objects)/\(manifest.digest)"
        if !Files.exists(object) { try Files.rename(directory, to: object) }
        try Files.synchronize(objects)

        let link = tagPath(manifest.reference, manifest.architecture)
        let parent = String(link[..<link.lastIndex(of: "/")!])
        try Files.makeDirectories(parent)
        try Files.makeDirectories(building, mode: 0o700)
        let fresh = discardedName()
        try Files.makeLink(fresh, to: "../../../objects/\(manifest.digest)")
        try Files.rename(fresh, to: link)
        try Files.synchronize(parent)
        return try image(manifest.reference, manifest.architecture)
    }
}
