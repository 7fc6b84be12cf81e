internal import Glibc
internal import HostSystem

/// A guest's root file system while it is made in a directory of the host.
///
/// The directory's files belong to whoever builds and have plain modes, so that an ordinary user can make them; what
/// they are in the guest is noted here, and `RootDisk` writes it into the file system image. The tree also knows every
/// symbolic link in it, and follows them itself: a link to `/run` means the guest's, never the host's.
final class RootTree {
    /// Owner and mode of a path in the guest; the mode without the file's type.
    struct Attributes: Equatable {
        var mode: UInt32
        var uid: UInt32 = 0
        var gid: UInt32 = 0
    }

    let directory: String
    /// By path relative to the root; what is not listed belongs to root and keeps its mode.
    private(set) var attributes: [String: Attributes] = [:]
    /// Whether the directory's files have their owners and modes themselves; what is noted here no longer counts then.
    private(set) var hasRealAttributes = false
    private var links: [String: String] = [:]
    private var directories: Set<String> = [""]

    init(directory: String) throws(ImageError) {
        self.directory = directory
        try Files.makeDirectories(directory, mode: 0o700)
        attributes[""] = Attributes(mode: 0o755)
    }

    /// Puts a member of a package into the tree and returns where it went; nil when nothing had to be done.
    @discardableResult
    func add(_ entry: TarReader.Entry, from archive: borrowing TarReader) throws(ImageError) -> String? {
        let wanted = Attributes(mode: entry.mode, uid: entry.uid, gid: entry.gid)
        try makeParents(entry.path)
        switch entry.kind {
        case .directory:
            // A directory where an earlier package made a link to one stays that link, as with dpkg.
            guard let path = try resolve(entry.path, followLast: true) else { return nil }
            if !directories.contains(path) { try makeDirectory(path) }
            attributes[path] = wanted
            return path
        case .symbolicLink(let target):
            let path = try place(entry.path)
            if directories.contains(path) { return nil }
            try addLink(path, to: target)
            return path
        case .hardLink(let target):
            let path = try place(entry.path)
            let source = try place(target)
            try Files.removeTree(host(path))
            if link(host(source), host(path)) != 0 { throw Files.failure("link \(path)", errno) }
            attributes[path] = attributes[source]
            return path
        case .file:
            let path = try place(entry.path)
            try writeFile(path, mode: entry.mode, modified: entry.modified) { (file) throws(ImageError) in
                try archive.copy(entry, to: file)
            }
            attributes[path] = wanted
            return path
        }
    }

    /// Writes a file of our own, owned by root.
    func write(_ text: String, to path: String, mode: UInt32 = 0o644) throws(ImageError) {
        try write(Array(text.utf8), to: path, mode: mode)
    }

    /// Writes a file of our own, owned by root.
    func write(_ bytes: [UInt8], to path: String, mode: UInt32 = 0o644) throws(ImageError) {
        try makeParents(path)
        let place = try place(path)
        try Files.removeTree(host(place))
        try Files.write(bytes, to: host(place), mode: 0o600 | mode & 0o777)
        chmod(host(place), 0o600 | mode & 0o777)
        links[place] = nil
        attributes[place] = Attributes(mode: mode)
    }

    /// Makes a symbolic link, replacing what is there.
    func addLink(_ path: String, to target: String) throws(ImageError) {
        try makeParents(path)
        let path = try place(path)
        try Files.removeTree(host(path))
        try Files.makeLink(host(path), to: target)
        links[path] = target
        attributes[path] = Attributes(mode: 0o777)
    }

    /// Makes a directory of our own and those above it, owned by root.
    func addDirectory(_ path: String, mode: UInt32 = 0o755) throws(ImageError) {
        try makeParents("\(path)/x")
        if let place = try resolve(path, followLast: true) { attributes[place] = Attributes(mode: mode) }
    }

    /// Moves a file of the host into the tree, owned by root.
    func adopt(_ file: String, as path: String, mode: UInt32 = 0o644) throws(ImageError) {
        try makeParents(path)
        let place = try place(path)
        try Files.rename(file, to: host(place))
        chmod(host(place), 0o600 | mode & 0o777)
        attributes[place] = Attributes(mode: mode)
    }

    /// What the file system image is to have for a path that lstat(2) tells `status` of.
    func attributes(of path: String, _ status: stat) -> Attributes {
        let mode = UInt32(status.st_mode) & 0o7777
        if hasRealAttributes { return Attributes(mode: mode, uid: status.st_uid, gid: status.st_gid) }
        return attributes[path] ?? Attributes(mode: mode)
    }

    /// Gives every file its owner and mode, as root: from here on, programs in the tree may change them.
    func makeAttributesReal() throws(ImageError) {
        for (path, wanted) in attributes {
            guard let status = Files.status(host(path)) else { continue }
            // The owner first, because a change of it takes set-id bits away.
            guard lchown(host(path), wanted.uid, wanted.gid) == 0 else {
                throw Files.failure("change the owner of \(host(path))", errno)
            }
            guard status.st_mode & S_IFMT == S_IFLNK || chmod(host(path), wanted.mode) == 0 else {
                throw Files.failure("change the mode of \(host(path))", errno)
            }
        }
        hasRealAttributes = true
    }

    func contains(_ path: String) -> Bool {
        guard let place = try? resolve(path, followLast: true) else { return false }
        return Files.exists(host(place))
    }

    /// The text of a file in the tree, nil when there is none.
    func text(_ path: String) -> String? {
        guard let place = try? resolve(path, followLast: true) else { return nil }
        return (try? Files.read(host(place), limit: 16 << 20)).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The names in a directory of the tree, sorted.
    func names(in path: String) -> [String] {
        guard let place = try? resolve(path, followLast: true) else { return [] }
        return Files.list(host(place))
    }

    /// Where a path of the guest is on the host, all links on the way followed inside the tree.
    func hostPath(_ path: String) throws(ImageError) -> String {
        host(try place(path))
    }

    private func host(_ path: String) -> String { path.isEmpty ? directory : "\(directory)/\(path)" }

    /// The path with the links of its parent directories followed.
    private func place(_ path: String) throws(ImageError) -> String {
        try resolve(path, followLast: false) ?? ""
    }

    private func resolve(_ path: String, followLast: Bool) throws(ImageError) -> String? {
        var rest = path.split(separator: "/").map(String.init)
        var done: [String] = []
        var followed = 0
        while !rest.isEmpty {
            let part = rest.removeFirst()
            if part == "." { continue }
            if part == ".." {
                if !done.isEmpty { done.removeLast() }
                continue
            }
            done.append(part)
            guard !rest.isEmpty || followLast, let target = links[done.joined(separator: "/")] else { continue }
            followed += 1
            guard followed <= 40 else { throw ImageError(.badInput, "package path \(path): its links form a loop") }
            if target.hasPrefix("/") { done = [] } else { done.removeLast() }
            rest = target.split(separator: "/").map(String.init) + rest
        }
        return done.joined(separator: "/")
    }

    private func makeParents(_ path: String) throws(ImageError) {
        var parts = path.split(separator: "/").map(String.init)
        guard parts.popLast() != nil else { return }
        if directories.contains(try resolve(parts.joined(separator: "/"), followLast: true) ?? "") { return }
        for count in parts.indices.map({ $0 + 1 }) {
            let parent = try resolve(parts[..<count].joined(separator: "/"), followLast: true) ?? ""
            if !directories.contains(parent) {
                try makeDirectory(parent)
                attributes[parent] = Attributes(mode: 0o755)
            }
        }
    }

    private func makeDirectory(_ path: String) throws(ImageError) {
        if mkdir(host(path), 0o755) != 0 && !(errno == EEXIST && Files.isDirectory(host(path))) {
            throw Files.failure("create directory \(host(path))", errno)
        }
        directories.insert(path)
    }

    private func writeFile(
        _ path: String, mode: UInt32, modified: Int, _ body: (borrowing FileDescriptor) throws(ImageError) -> Void
    ) throws(ImageError) {
        links[path] = nil
        // A new file, never the old one's other hard links.
        if unlink(host(path)) != 0 && errno != ENOENT { throw Files.failure("replace \(host(path))", errno) }
        let file: FileDescriptor
        do throws(SystemError) {
            file = try FileDescriptor(path: host(path), flags: O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
        } catch {
            throw Files.failure(error)
        }
        try body(file)
        // Never a set-id bit on the host: the file still belongs to the builder there.
        fchmod(file.rawValue, 0o600 | mode & 0o777)
        let times = [timespec(tv_sec: modified, tv_nsec: 0), timespec(tv_sec: modified, tv_nsec: 0)]
        futimens(file.rawValue, times)
    }
}
