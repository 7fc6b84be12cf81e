internal import Glibc
internal import HostSystem

/// The files of an image that somebody else has opened and locked for a process that cannot open any.
///
/// The lock belongs to the open file: it ends when the last descriptor of the file is closed.
package final class DiskFiles: Sendable {
    /// The most files of an image: what it is based on counts.
    package static let most = 16

    private struct File: ~Copyable, Sendable {
        let path: String
        let isDirect: Bool
        let descriptor: FileDescriptor
    }

    // An array cannot have them.
    private final class Box: Sendable {
        let file: File
        init(_ file: consuming File) { self.file = file }

        /// What a qcow2 image of this size is based on. The image is not opened: at its end, it would give up the lock.
        func backing(size: UInt64) throws(DiskImageError) -> Qcow2Header.Backing? {
            let path = file.path
            return try Qcow2File.header(path: path, fileSize: size) { (count) throws(DiskImageError) in
                var bytes = [UInt8](repeating: 0, count: count)
                do throws(SystemError) {
                    try bytes.withUnsafeMutableBufferPointer { (buffer) throws(SystemError) in
                        _ = try file.descriptor.read(at: 0, into: UnsafeMutableRawBufferPointer(buffer))
                    }
                } catch { throw .cannotOpen(path: path, error) }
                return bytes
            }.backing
        }
    }

    private let boxes: [Box]

    /// Opens and locks the files of the image at `path`, which has to be the machine's as long as these are open.
    ///
    /// - Parameters:
    ///   - format: as for `DiskImageChain.open`.
    ///   - isDirect: whether the image is for `DirectDiskImage`.
    package init(
        path: String, format: DiskImageFormat?, readOnly: Bool, isDirect: Bool = false
    ) throws(DiskImageError) {
        if format == nil, try DiskImageFormat.apparent(path: path) != .raw { throw .formatNotGiven(path: path) }
        var boxes: [Box] = []
        var (name, format, isReadOnly) = (path, format ?? .raw, readOnly)
        while true {
            let opened = try LockedFile(path: name, readOnly: isReadOnly)
            let size = opened.size
            let box = Box(File(path: name, isDirect: false, descriptor: opened.descriptor))
            boxes.append(box)
            guard format == .qcow2 else { break }
            guard let backing = try box.backing(size: size) else { break }
            guard boxes.count < Self.most else { throw Self.tooMany(path) }
            (name, format) = try backing.place(from: name)
            isReadOnly = true
        }
        if isDirect {
            let direct = try DirectDiskImage.openDirect(boxes[0].file.descriptor, path: path, readOnly: readOnly)
            boxes.append(Box(File(path: path, isDirect: true, descriptor: direct)))
        }
        self.boxes = boxes
    }

    /// Takes over what the sender has of `descriptions`.
    ///
    /// - Parameter descriptors: in the same order; they become this object's.
    package init?(_ descriptions: [String], descriptors: [Int32]) {
        var boxes: [Box] = []
        for descriptor in descriptors {
            let owner = FileDescriptor(owning: descriptor)
            let index = boxes.count
            let text = index < descriptions.count ? descriptions[index] : ""
            let isDirect = text.utf8.first == UInt8(ascii: "!")
            boxes.append(
                Box(File(path: String(text.dropFirst()), isDirect: isDirect, descriptor: owner)))
        }
        self.boxes = boxes
        guard descriptions.count == descriptors.count, (1...Self.most + 1).contains(boxes.count),
            descriptions.allSatisfy({ $0.utf8.first == UInt8(ascii: "!") || $0.utf8.first == UInt8(ascii: ":") })
        else { return nil }
    }

    /// What each file is: a colon and its path, or an exclamation mark for the opening of the same file without the page cache.
    package var descriptions: [String] { boxes.map { ($0.file.isDirect ? "!" : ":") + $0.file.path } }

    /// The open files, which stay this object's.
    package var descriptors: [Int32] { boxes.map { $0.file.descriptor.rawValue } }

    /// The files below a qcow2 image, the nearest first, by what is in the images. None of them is locked.
    ///
    /// - Parameter present: where the file of a path is that has not got its name yet; the same path for others.
    package static func bases(
        of path: String, present: (String) -> String = { $0 }
    ) throws(DiskImageError) -> [String] {
        var bases: [String] = []
        var place = (path: path, format: DiskImageFormat.qcow2)
        while place.format == .qcow2 {
            let size: UInt64
            let box: Box
            do throws(SystemError) {
                let file = try FileDescriptor(path: present(place.path), flags: O_RDONLY | O_NONBLOCK)
                size = try file.size()
                box = Box(File(path: place.path, isDirect: false, descriptor: file))
            } catch { throw .cannotOpen(path: place.path, error) }
            guard let backing = try box.backing(size: size) else { break }
            guard bases.count + 1 < most else { throw tooMany(path) }
            place = try backing.place(from: place.path)
            bases.append(place.path)
        }
        return bases
    }

    private static func tooMany(_ path: String) -> DiskImageError {
        .backing(
            path: path, found: "the image is based on more than \(most - 1) others",
            advice: "merge some of them with 'aerie disk commit' or 'aerie disk convert'")
    }

    /// Another descriptor of the image's own file.
    func top(isDirect: Bool) throws(DiskImageError) -> FileDescriptor {
        guard let box = boxes.first(where: { $0.file.isDirect == isDirect }) else {
            throw .backing(path: "", found: "its file was not handed over", advice: "give all of its files")
        }
        do { return try box.file.descriptor.duplicate() } catch { throw .cannotOpen(path: box.file.path, error) }
    }

    /// Another descriptor of the file at `path`.
    func descriptor(_ path: String, isDirect: Bool = false) throws(DiskImageError) -> FileDescriptor {
        guard let box = boxes.first(where: { $0.file.path == path && $0.file.isDirect == isDirect }) else {
            throw .backing(
                path: path, found: "the file was not handed over with the disk",
                advice: "correct the name of the backing file")
        }
        do { return try box.file.descriptor.duplicate() } catch { throw .cannotOpen(path: path, error) }
    }
}
