internal import Aerie
internal import CRuntime
internal import ControlAPI
internal import DiskImages
internal import Glibc
internal import HostSystem

/// The files of an offered machine that are not in its directory, at the receiver: those that are here are used, the others are received.
struct ArrivingFiles {
    private let asked: String
    private let files: [OutsideFile]
    /// Of each file.
    let places: [OutsideFile.Place]
    /// The paths of the files that may be based on others.
    private let images: [String]

    /// Decides where each file is. Nothing is made.
    ///
    /// - Parameters:
    ///   - state: a directory in which no such file may be.
    ///   - isImageElsewhere: whether the machine's image is in another directory than at the sender.
    /// - Throws: `unavailable` for a file that can neither be used nor made.
    init(_ offer: MigrationOffer, besides state: String, isImageElsewhere: Bool) throws {
        asked = "machine '\(offer.machine.name)'"
        files = offer.outside ?? []
        let asked = asked
        images = try Self.check(files, against: offer, asked)
        places = try files.map { file throws(AerieError) in
            if file.isOnImage == true, isImageElsewhere {
                throw AerieError(
                    .unavailable, asked: asked,
                    found: "its disk \(file.path) is based on its image, which is in another directory here",
                    advice: "have the image at the same path on both hosts")
            }
            return try Self.place(of: file, besides: state, asked)
        }
    }

    /// Compares the files with the machine's disks. The sender may be of a version that offers no files.
    ///
    /// - Returns: the paths of the qcow2 images.
    private static func check(
        _ files: [OutsideFile], against offer: MigrationOffer, _ asked: String
    ) throws(AerieError) -> [String] {
        let configuration = offer.machine.configuration
        let known = Set(files.filter(\.isWritten).map(\.path))
        let written =
            configuration.disks.filter { $0.access == .readWrite }.map(\.path)
            .filter { path in !Machine.ownNames.contains { path.hasSuffix("/\(offer.machine.id)/\($0)") } }
            + configuration.flash.filter { !$0.isReadOnly }.map(\.path)
        let named = Set(configuration.disks.map(\.path) + configuration.flash.map(\.path))
        let paths = Set(files.map(\.path))
        let images = configuration.disks.filter { $0.format == .qcow2 && paths.contains($0.path) }.map(\.path)
        // What none of them names may be what an image is based on (`requireBases`).
        guard paths.count == files.count, known == Set(written), !images.isEmpty || paths.isSubset(of: named) else {
            throw AerieError(
                .unavailable, asked: asked, found: "the description of the machine's disks is not that of its files",
                advice: "use the same version of Aerie on both sides")
        }
        return images
    }

    // MARK: Places

    private static func place(
        of file: OutsideFile, besides state: String, _ asked: String
    ) throws(AerieError) -> OutsideFile.Place {
        func refusal(_ found: String, _ advice: String) -> AerieError {
            AerieError(.unavailable, asked: asked, found: found, advice: advice)
        }
        let (directory, _) = OutsideFile.parts(file.path)
        guard OutsideFile.isPlain(file.path), !isInside(directory, state) else {
            throw refusal(
                "its disk has the path '\(file.shownPath)', which no disk may have", "move the disk at the sender")
        }
        var status = stat()
        if lstat(file.path, &status) == 0 {
            try check(file, refusal)
            return .here
        }
        let error = SystemError.last("lstat")
        guard error.code == ENOENT else {
            throw refusal(
                "the path \(file.path) of its disk cannot be looked at on the receiver's host: \(error.reason)",
                "give its user the right to, or keep the disk elsewhere")
        }
        guard access(directory, F_OK) == 0 else {
            throw refusal(
                "the directory \(directory) of its disk \(file.path) is not on the receiver's host",
                "make it there, or keep the disk where both hosts see it")
        }
        guard !file.isDevice else {
            throw refusal(
                "its disk \(file.path) is a block device, which is not on the receiver's host",
                "make the device known there")
        }
        guard access(directory, W_OK | X_OK) == 0 else {
            throw refusal(
                "the directory \(directory) of its disk \(file.path) cannot be written to on the receiver's host",
                "give its user the right to")
        }
        return .copied
    }

    /// - Throws: unless the file that is here is the one of the sender's machine.
    private static func check(
        _ file: OutsideFile, _ refusal: (_ found: String, _ advice: String) -> AerieError
    ) throws(AerieError) {
        let other =
            file.isDevice
            ? refusal(
                "its disk \(file.path) is a block device, and the receiver's host does not have the same one there",
                "block devices that the guest writes to are shared on one host only; use a file that both hosts see")
            : refusal(
                "another file than its disk is at \(file.path) on the receiver's host",
                "move that file away; the machine's disk is sent then")
        func unreadable(_ error: SystemError) -> AerieError {
            refusal(
                "the file \(file.path) on the receiver's host cannot be read: \(error.reason)",
                "correct its permissions")
        }
        let descriptor = try reading(file.path, unreadable)
        let found: OutsideFile?
        do throws(SystemError) {
            found = try OutsideFile(descriptor, at: file.path, isWritten: file.isWritten)
        } catch { throw unreadable(error) }
        guard let found, found.isDevice == file.isDevice else { throw other }
        guard file.isWritten else {
            guard found.size == file.size, file.isDevice || found.modified == file.modified else { throw other }
            return
        }
        // The guest runs: a qcow2 image grows.
        guard found.node == file.node, found.size >= file.size else { throw other }
        guard aerie_state_is_locked(descriptor.rawValue) == 1 else {
            guard !file.isDevice else { throw other }
            throw refusal(
                "the file \(file.path) on the receiver's host is not locked by the sender's machine, as far as that host sees: it is "
                    + "another file, or its file system has no locks between hosts",
                "use a file system with locks, such as NFS 4; or move another file away")
        }
        guard access(file.path, W_OK) == 0 else {
            throw refusal(
                "its disk \(file.path) cannot be written to on the receiver's host", "correct its permissions")
        }
    }

    private static func reading(
        _ path: String, _ failure: (SystemError) -> AerieError
    ) throws(AerieError) -> FileDescriptor {
        do throws(SystemError) { return try FileDescriptor(path: path, flags: O_RDONLY | O_NONBLOCK) } catch {
            throw failure(error)
        }
    }

    /// Whether a directory is another one, or in it.
    private static func isInside(_ directory: String, _ other: String) -> Bool {
        func real(_ path: String) -> String { HostPath.resolved(path) ?? path }
        return "\(real(directory))/".hasPrefix("\(real(other))/")
    }

    // MARK: Copies

    /// Makes the files that are sent, which have no names yet where the file system can do that.
    ///
    /// - Parameter work: the directory in which the machine is made.
    func make(in work: String) throws -> [ArrivingFile] {
        let copied = zip(files, places).filter { $1 == .copied }.map(\.0)
        guard !copied.isEmpty else { return [] }
        let list = try ArrivedFiles(copied.map(\.path))
        // Before there is anything to remove.
        try list.write(in: work)
        return try zip(copied, list.entries).map { file, entry in try ArrivingFile(file, entry, asked) }
    }

    /// Checks that each file is one of the machine's disks, or what one of them is based on. Nothing else is made here.
    ///
    /// - Parameter copies: the files that were sent, complete.
    func requireBases(_ copies: [ArrivingFile], of offer: MigrationOffer) throws(AerieError) {
        let configuration = offer.machine.configuration
        let named = Set(configuration.disks.map(\.path) + configuration.flash.map(\.path))
        var unknown = Set(files.map(\.path)).subtracting(named)
        for image in images where !unknown.isEmpty {
            do throws(DiskImageError) {
                let bases = try DiskFiles.bases(of: image) { path in
                    // A copy has no name yet.
                    copies.first { $0.path == path }.map { "/proc/self/fd/\($0.contents.descriptor)" } ?? path
                }
                unknown.subtract(bases)
            } catch { throw AerieError(disk: error) }
        }
        guard unknown.isEmpty else {
            throw AerieError(
                .badInput, asked: asked, found: "a file was offered that none of its disks refers to",
                advice: "use the same version of Aerie on both sides")
        }
    }

    /// Disks that the guest writes to and that are here.
    var shared: [OutsideFile] { zip(files, places).filter { $0.isWritten && $1 == .here }.map(\.0) }

    /// The sender's machine has closed its disks. Gives the copies their names.
    ///
    /// - Parameter work: the directory in which the machine is made.
    func appear(_ copies: [ArrivingFile], in work: String) throws {
        try SharedDisks.write(shared, in: work, asked)
        for file in copies { try file.appear() }
    }
}
