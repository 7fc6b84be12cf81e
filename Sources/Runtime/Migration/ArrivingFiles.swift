internal import Aerie
internal import CRuntime
internal import ControlAPI
internal import Glibc
internal import HostSystem

/// The files of an offered machine that are not in its directory, at the receiver: those that are here are used, the others are received.
struct ArrivingFiles {
    private let asked: String
    private let files: [OutsideFile]
    /// Of each file.
    let places: [OutsideFile.Place]

    /// Decides where each file is. Nothing is made.
    ///
    /// - Parameters:
    ///   - state: a directory in which no such file may be.
    ///   - isImageElsewhere: whether the machine's image is in another directory than at the sender.
    /// - Throws: `unavailable` for a file that can neither be used nor made.
    init(_ offer: MigrationOffer, besides state: String, isImageElsewhere: Bool) throws {
        asked = "machine '\(offer.machine.name)'"
        files = offer.outside ?? []
        let configuration = offer.machine.configuration
        let known = Set(files.filter(\.isWritten).map(\.path))
        let written =
            configuration.disks.filter { $0.access == .readWrite }.map(\.path)
            .filter { path in !Machine.ownNames.contains { path.hasSuffix("/\(offer.machine.id)/\($0)") } }
            + configuration.flash.filter { !$0.isReadOnly }.map(\.path)
        guard Set(files.map(\.path)).count == files.count, known == Set(written) else {
            throw TransferError.damaged("the description of the machine's disks is not that of its files")
        }
        let asked = asked
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
        guard errno == ENOENT, access(directory, F_OK) == 0 else {
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
        let other = refusal(
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
        if !file.isWritten && !file.isDevice {
            guard found.size == file.size, found.modified == file.modified else { throw other }
            return
        }
        // The guest runs: a qcow2 image grows.
        guard found.node == file.node, found.size >= file.size else { throw other }
        guard aerie_state_has_lock(descriptor.rawValue, file.isWritten ? 1 : 0) == 1 else {
            throw refusal(
                "the file \(file.path) on the receiver's host is not locked by the sender's machine, as far as that host sees: it is "
                    + "another file, or its file system has no locks between hosts",
                "use a file system with locks, such as NFS 4; or move another file away")
        }
        guard !file.isWritten || access(file.path, W_OK) == 0 else {
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
        func real(_ path: String) -> String {
            guard let resolved = realpath(path, nil) else { return path }
            defer { free(resolved) }
            return String(cString: resolved)
        }
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
}
