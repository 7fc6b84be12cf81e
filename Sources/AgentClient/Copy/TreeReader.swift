internal import CFileSystem
internal import Glibc
internal import HostSystem
internal import TarStream

/// A file or a tree of this host as a tar stream, made piece by piece. One thread.
package final class TreeReader {
    /// A directory whose entries are read.
    private final class Level {
        let node: FileDescriptor
        let path: [UInt8]
        /// In descending order: the last one is next.
        var names: [[CChar]]

        init(node: consuming FileDescriptor, path: [UInt8], names: [[CChar]]) {
            self.node = node
            self.path = path
            self.names = names
        }
    }

    private struct Identity: Hashable {
        let device: UInt64
        let inode: UInt64
    }

    private var levels: [Level] = []
    private let descriptors: FileDescriptor
    private let onFailure: (String, TreeFault) -> Void
    /// Headers and padding that wait, and how many of their bytes were taken.
    private var pending: [UInt8] = []
    private var taken = 0
    private var file: FileContents?
    private var hasEnded = false
    /// The first names of files that have several.
    private var firstNames: [Identity: [UInt8]] = [:]

    /// Opens a file or a directory.
    ///
    /// - Parameters:
    ///   - path: of this host.
    ///   - name: the name in the archive; nil for a directory's contents without itself.
    ///   - followsLink: whether a symbolic link stands for its target.
    ///   - onFailure: called for each file that is left out, with its name in the archive.
    package init(
        path: String, name: String?, followsLink: Bool, onFailure: @escaping (String, TreeFault) -> Void
    ) throws(TreeFault) {
        self.onFailure = onFailure
        do throws(SystemError) {
            descriptors = FileDescriptor(
                owning: try checked("open /proc/self/fd") { aerie_fs_open_descriptors() })
            let real = followsLink ? try Self.realPath(path) : path
            let node = FileDescriptor(owning: try checked("open \(path)") { aerie_fs_open_node(AT_FDCWD, real, 0) })
            guard let name else {
                levels.append(Level(node: try Self.directory(node), path: [], names: try Self.names(node.rawValue)))
                return
            }
            var status = aerie_file_status()
            _ = try checked("stat \(path)") { aerie_fs_status(node.rawValue, "", &status) }
            try add(node, status, Array(name.utf8))
        } catch {
            throw .system(error)
        }
    }

    /// The path without symbolic links.
    static func realPath(_ path: String) throws(SystemError) -> String {
        guard let real = realpath(path, nil) else { throw .last("realpath \(path)") }
        defer { free(real) }
        return String(cString: real)
    }

    // MARK: The stream

    /// Writes the next bytes of the archive into `room`, which is not empty; 0 at its end.
    package func read(into room: UnsafeMutableRawBufferPointer) -> Int {
        var done = 0
        while done < room.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: room[done...])
            if taken < pending.count {
                let count = min(rest.count, pending.count - taken)
                rest.copyBytes(from: pending[taken..<taken + count])
                taken += count
                done += count
            } else if let file {
                let count = file.read(into: rest)
                done += count
                if count == 0 { endFile(file) }
            } else if !advance() {
                break
            }
        }
        return done
    }

    private func queue(_ bytes: [UInt8]) {
        pending = bytes
        taken = 0
    }

    private func endFile(_ contents: FileContents) {
        queue(TarWriter.padding(behind: contents.stored))
        if let fault = contents.fault { fail(contents.path, fault) }
        file = nil
    }

    /// Begins with the next file; false at the end of the archive.
    private func advance() -> Bool {
        while let level = levels.last {
            guard let name = level.names.popLast() else {
                levels.removeLast()
                continue
            }
            let bytes = name.dropLast().map { UInt8(bitPattern: $0) }
            let path = level.path.isEmpty ? bytes : level.path + [UInt8(ascii: "/")] + bytes
            do throws(SystemError) {
                let node = FileDescriptor(
                    owning: try checked("open") { aerie_fs_open_node(level.node.rawValue, name, 0) })
                var status = aerie_file_status()
                _ = try checked("stat") { aerie_fs_status(node.rawValue, "", &status) }
                try add(node, status, path)
            } catch {
                fail(path, .system(error))
            }
            if taken < pending.count { return true }
        }
        if hasEnded { return false }
        hasEnded = true
        queue(TarWriter.end)
        return true
    }

    private func fail(_ path: [UInt8], _ fault: TreeFault) { onFailure(PrintableText.of(path), fault) }

    // MARK: Members

    private func add(_ node: borrowing FileDescriptor, _ status: aerie_file_status, _ path: [UInt8]) throws(SystemError)
    {
        var member = TarMember(path: path, kind: .file, mode: status.mode & 0o7777)
        member.owner = status.owner
        member.group = status.group
        member.modified = Self.nanoseconds(status)
        switch status.mode & UInt32(S_IFMT) {
        case UInt32(S_IFREG): try addFile(node, status, &member)
        case UInt32(S_IFDIR):
            member.kind = .directory
            queue(TarWriter.header(member))
            levels.append(
                Level(node: try Self.directory(node), path: path, names: try Self.names(node.rawValue)))
        case UInt32(S_IFLNK):
            var target = [CChar](repeating: 0, count: Int(PATH_MAX))
            let count = try checked("readlink") { aerie_fs_read_symlink(node.rawValue, &target, target.count) }
            member.kind = .symbolicLink(target: target[..<Int(count)].map { UInt8(bitPattern: $0) })
            queue(TarWriter.header(member))
        case UInt32(S_IFIFO):
            member.kind = .fifo
            queue(TarWriter.header(member))
        default: fail(path, .deviceNode)
        }
    }

    private func addFile(
        _ node: borrowing FileDescriptor, _ status: aerie_file_status, _ member: inout TarMember
    ) throws(SystemError) {
        let identity = Identity(device: status.device, inode: status.inode)
        if status.links > 1, let first = firstNames[identity] {
            member.kind = .hardLink(target: first)
            return queue(TarWriter.header(member))
        }
        let descriptor = FileDescriptor(
            owning: try checked("open") { aerie_fs_reopen(descriptors.rawValue, node.rawValue, O_RDONLY, 0) })
        if status.links > 1 { firstNames[identity] = member.path }
        member.size = status.size
        let segments = FileContents.segments(descriptor.rawValue, status)
        queue(TarWriter.header(member, segments: segments))
        file = FileContents(descriptor, path: member.path, size: status.size, segments: segments)
    }

    private static func nanoseconds(_ status: aerie_file_status) -> Int64 {
        let (product, overflow) = status.modified.multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return status.modified < 0 ? .min : .max }
        return product &+ Int64(status.modifiedFraction)
    }

    // MARK: Directories

    private static func directory(_ node: borrowing FileDescriptor) throws(SystemError) -> FileDescriptor {
        try node.duplicate()
    }

    /// The names in a directory, in descending order.
    private static func names(_ node: Int32) throws(SystemError) -> [[CChar]] {
        let directory = FileDescriptor(owning: try checked("open") { aerie_fs_open_directory(node) })
        var names: [[CChar]] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 15)
        while true {
            let count = Int(
                try checked("getdents64") { aerie_fs_read_entries(directory.rawValue, &buffer, buffer.count) })
            if count == 0 { break }
            // struct linux_dirent64: u64 inode, s64 offset, u16 length of the record, u8 type, name.
            var start = 0
            while start < count {
                let length = Int(buffer[start + 16]) | Int(buffer[start + 17]) << 8
                let name = buffer[(start + 19)..<(start + length)].prefix { $0 != 0 }
                start += length
                if name.elementsEqual([0x2E]) || name.elementsEqual([0x2E, 0x2E]) { continue }
                names.append(name.map { CChar(bitPattern: $0) } + [0])
            }
        }
        return names.sorted { $1.lexicographicallyPrecedes($0) }
    }
}
