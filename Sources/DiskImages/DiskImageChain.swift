internal import HostSystem

/// Opens images, and with a qcow2 image all that it is based on.
package struct DiskImageChain {
    /// The most images above each other.
    package static let longest = 64

    private let synchronizes: Bool
    private let files: DiskFiles?
    private var opened: [FileIdentity] = []

    /// Opens the image at `path`.
    ///
    /// - Parameters:
    ///   - format: nil for raw, unless the file begins as something else, which throws `formatNotGiven`.
    ///   - synchronizes: false for a disk that may be lost when the host ends.
    ///   - files: has all files open; nil opens them.
    package static func open(
        path: String, format: DiskImageFormat?, readOnly: Bool, synchronizes: Bool = true, files: DiskFiles? = nil
    ) throws(DiskImageError) -> any DiskImage {
        if format == nil, try DiskImageFormat.apparent(path: path, files: files) != .raw {
            throw .formatNotGiven(path: path)
        }
        var chain = DiskImageChain(synchronizes: synchronizes, files: files)
        return try chain.open(path, format ?? .raw, readOnly: readOnly)
    }

    /// Opens a qcow2 image without what it is based on: only what lies in the image itself is right, and nothing but whole clusters
    /// may be written.
    package static func openAlone(path: String, readOnly: Bool) throws(DiskImageError) -> Qcow2DiskImage {
        let file = try Qcow2File(path: path, readOnly: readOnly)
        let header = try file.header()
        if !readOnly { try file.prepareForWriting(header) }
        return try Qcow2DiskImage(file, header, base: nil)
    }

    private init(synchronizes: Bool, files: DiskFiles?) {
        self.synchronizes = synchronizes
        self.files = files
    }

    private mutating func open(
        _ path: String, _ format: DiskImageFormat, readOnly: Bool
    ) throws(DiskImageError) -> any DiskImage {
        switch format {
        case .raw: return try RawDiskImage(path: path, readOnly: readOnly, synchronizes: synchronizes, files: files)
        case .qcow2:
            let file = try Qcow2File(path: path, readOnly: readOnly, files: files)
            do { opened.append(try file.descriptor.identity()) } catch { throw .cannotOpen(path: path, error) }
            let header = try file.header()
            if !readOnly { try file.prepareForWriting(header) }
            return try Qcow2DiskImage(file, header, base: try base(of: path, header), synchronizes: synchronizes)
        }
    }

    private mutating func base(of path: String, _ header: Qcow2Header) throws(DiskImageError) -> (any DiskImage)? {
        guard let backing = header.backing else { return nil }
        let (name, format) = try backing.place(from: path)
        guard opened.count < Self.longest else {
            throw .backing(
                path: path, found: "the chain of backing files has more than \(Self.longest) images",
                advice: "merge some of them with 'aerie disk commit' or 'aerie disk convert'")
        }
        // Before it is opened: the lock of this image would stand in the way.
        if files == nil, let identity = try? FileIdentity(path: name), opened.contains(identity) {
            throw .backing(
                path: path, found: "its backing file \(name) is based on it", advice: "correct the backing file's name")
        }
        do throws(DiskImageError) {
            if let mark = backing.mark, try BackingMark(path: name, files: files) != mark {
                throw .backing(
                    path: path, found: "its backing file \(name) has changed since the image was made",
                    advice: "restore that file, or make a new image")
            }
            return try open(name, format, readOnly: true)
        } catch {
            if case .cannotOpen(name, let reason) = error {
                throw .backing(
                    path: path, found: "its backing file \(name) cannot be opened (\(reason.reason))",
                    advice: "put it back, or convert the image where it is")
            }
            throw error
        }
    }
}

extension Qcow2Header.Backing {
    /// The backing file's path and format, for an image at `path`.
    func place(from path: String) throws(DiskImageError) -> (path: String, format: DiskImageFormat) {
        func unusable(_ found: String, _ advice: String) -> DiskImageError {
            .backing(path: path, found: found, advice: advice)
        }
        // QEMU's names of other things than files: a word and a colon.
        let beginning = name.utf8.prefix { $0 != UInt8(ascii: "/") }
        guard !beginning.contains(UInt8(ascii: ":")) else {
            throw unusable(
                "its backing file '\(name)' is not a file's name", "convert the image with 'qemu-img convert'")
        }
        guard let format else {
            throw unusable(
                "the format of its backing file \(name) is not given",
                "set it with 'qemu-img rebase -u -F raw' (or qcow2) '-b \(name)'")
        }
        guard let known = DiskImageFormat(rawValue: format) else {
            throw unusable("its backing file \(name) has the format '\(format)'", "use raw or qcow2")
        }
        if name.utf8.first == UInt8(ascii: "/") { return (name, known) }
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return (name, known) }
        return (path[...slash] + name, known)
    }
}
