import GuestToolchain
import Glibc
import SharedFolders

/// A guest's kernel, as far as it speaks the FUSE protocol: written from the protocol's header, and it sends what it is told.
final class FUSEClient: @unchecked Sendable {
    // @unchecked: one thread of a test uses a client at a time.

    struct Entry: Equatable {
        let node: UInt64
        let attributes: Attributes
    }

    struct Attributes: Equatable {
        let inode: UInt64
        let size: UInt64
        let mode: UInt32
        let links: UInt32
        let user: UInt32
        let group: UInt32

        /// struct fuse_attr.
        init(_ bytes: ArraySlice<UInt8>) {
            let bytes = Array(bytes)
            inode = bytes.integer(at: 0)
            size = bytes.integer(at: 8)
            mode = bytes.integer(at: 60)
            links = bytes.integer(at: 64)
            user = bytes.integer(at: 68)
            group = bytes.integer(at: 72)
        }

        var permissions: UInt32 { mode & 0o7777 }
        var type: UInt32 { mode & 0o170000 }
    }

    struct DirectoryEntry: Equatable {
        let name: String
        let next: UInt64
        let node: UInt64
    }

    static let root: UInt64 = 1

    let server: FileServer
    var user: UInt32 = 0
    var group: UInt32 = 0
    /// Serve what can be served at once without waiting, as the device does.
    var triesImmediate = true
    private var identifier: UInt64 = 0

    /// A share of a directory, already initialized.
    init(
        _ directory: TemporaryDirectory, _ ownership: Ownership = .caller, readOnly: Bool = false,
        limits: FileServer.Limits = FileServer.Limits()
    ) throws {
        server = try FileServer(path: directory.path, ownership: ownership, isReadOnly: readOnly, limits: limits)
        _ = try call(26, 0, .words(7, 41, 1 << 17, .max) + [UInt8](repeating: 0, count: 48))
    }

    /// Another kernel of the same guest, which knows what the guest knows.
    init(sharing server: FileServer) throws { self.server = server }

    /// Sends a request and returns the answer's payload.
    ///
    /// - Parameters:
    ///   - data: what a write carries behind its arguments.
    ///   - room: for the answer's payload.
    @discardableResult
    func call(
        _ operation: UInt32, _ node: UInt64, _ body: [UInt8] = [], data: [UInt8]? = nil, room: Int = 1 << 16
    ) throws -> [UInt8] {
        identifier += 1
        let length = 40 + body.count + (data?.count ?? 0)
        let header =
            .words(UInt32(length), operation) + .longs(identifier, node) + .words(user, group, 1, 0)
        let bytes = header + body
        var copy = data ?? []
        var target = [UInt8](repeating: 0xEE, count: room)
        let reply = copy.withUnsafeMutableBytes { source in
            target.withUnsafeMutableBytes { target in
                // In three pieces, as a driver may cut it.
                let request = FileRequest(
                    bytes, length: length, input: Self.pieces(source), output: Self.pieces(target), room: room)!
                if triesImmediate, let reply = server.serve(request, immediate: true) { return reply }
                return server.serve(request, immediate: false)!
            }
        }
        switch reply {
        case .none: return []
        case .failure(let code): throw FileError(code)
        case .payload(let bytes): return bytes
        case .filled(let count): return Array(target[..<count])
        }
    }

    private static func pieces(_ bytes: UnsafeMutableRawBufferPointer) -> TransferBuffers {
        var buffers = TransferBuffers()
        for range in [0..<bytes.count / 3, bytes.count / 3..<bytes.count / 2, bytes.count / 2..<bytes.count] {
            buffers.append(UnsafeMutableRawBufferPointer(rebasing: bytes[range]))
        }
        return buffers
    }

    // MARK: Names

    private func entry(_ payload: [UInt8]) -> Entry {
        Entry(node: payload.integer(at: 0), attributes: Attributes(payload[40..<128]))
    }

    /// Node 0 for a name that is not there.
    func lookUp(_ name: String, in parent: UInt64 = root) throws -> Entry {
        entry(try call(1, parent, .text(name)))
    }

    /// Looks a path up from the root.
    func walk(_ path: String) throws -> Entry {
        var result = Entry(node: Self.root, attributes: try attributes(Self.root))
        for name in path.split(separator: "/") { result = try lookUp(String(name), in: result.node) }
        return result
    }

    func forget(_ node: UInt64, _ count: UInt64 = 1) throws { try call(2, node, .longs(count)) }

    func makeDirectory(_ name: String, in parent: UInt64 = root, mode: UInt32 = 0o755) throws -> Entry {
        entry(try call(9, parent, .words(mode, 0) + .text(name)))
    }

    func makeNode(_ name: String, mode: UInt32) throws -> Entry {
        entry(try call(8, Self.root, .words(mode, 0, 0, 0) + .text(name)))
    }

    func makeSymlink(_ name: String, to target: String, in parent: UInt64 = root) throws -> Entry {
        entry(try call(6, parent, .text(name) + .text(target)))
    }

    func unlink(_ name: String, in parent: UInt64 = root) throws { try call(10, parent, .text(name)) }
    func removeDirectory(_ name: String, in parent: UInt64 = root) throws { try call(11, parent, .text(name)) }

    func link(_ node: UInt64, as name: String, in parent: UInt64 = root) throws -> Entry {
        entry(try call(13, parent, .longs(node) + .text(name)))
    }

    func rename(
        _ old: String, in parent: UInt64 = root, to new: String, into newParent: UInt64 = root, flags: UInt32 = 0
    ) throws {
        try call(45, parent, .longs(newParent) + .words(flags, 0) + .text(old) + .text(new))
    }

    // MARK: Attributes

    func attributes(_ node: UInt64) throws -> Attributes {
        Attributes(try call(3, node, .words(0, 0) + .longs(0))[16..<104])
    }

    @discardableResult
    func set(
        _ node: UInt64, _ fields: UInt32, size: UInt64 = 0, mode: UInt32 = 0, user: UInt32 = 0, group: UInt32 = 0,
        modified: UInt64 = 0, handle: UInt64 = 0
    ) throws -> Attributes {
        let body =
            [UInt8].words(fields, 0) + .longs(handle, size, 0, 0, modified, 0)
            + .words(0, 0, 0, mode, 0, user, group, 0)
        return Attributes(try call(4, node, body)[16..<104])
    }

    func chmod(_ node: UInt64, _ mode: UInt32) throws -> Attributes { try set(node, 1, mode: mode) }
    func chown(_ node: UInt64, _ user: UInt32, _ group: UInt32) throws -> Attributes {
        try set(node, 6, user: user, group: group)
    }

    func extended(_ node: UInt64, _ name: String) throws -> [UInt8] {
        try call(22, node, .words(65536, 0) + .text(name))
    }

    func setExtended(_ node: UInt64, _ name: String, _ value: [UInt8]) throws {
        try call(21, node, .words(UInt32(value.count), 0) + .text(name) + value)
    }

    // MARK: Files

    func open(_ node: UInt64, _ flags: Int32 = O_RDWR) throws -> (handle: UInt64, flags: UInt32) {
        let payload = try call(14, node, .words(UInt32(flags), 0))
        return (payload.integer(at: 0), payload.integer(at: 8))
    }

    func create(
        _ name: String, in parent: UInt64 = root, mode: UInt32 = 0o644, flags: Int32 = O_RDWR
    ) throws -> (entry: Entry, handle: UInt64) {
        let payload = try call(35, parent, .words(UInt32(flags), mode, 0, 0) + .text(name))
        return (entry(payload), payload.integer(at: 128))
    }

    func release(_ handle: UInt64, isDirectory: Bool = false) throws {
        try call(isDirectory ? 29 : 18, 0, .longs(handle, 0, 0))
    }

    func read(_ handle: UInt64, at offset: UInt64 = 0, _ count: UInt32) throws -> [UInt8] {
        try call(15, 0, .longs(handle, offset) + .words(count, 0) + .longs(0, 0), room: Int(min(count, 1 << 21)))
    }

    @discardableResult
    func write(
        _ handle: UInt64, at offset: UInt64 = 0, _ bytes: [UInt8], size: UInt32? = nil, options: UInt32 = 0,
        flags: Int32 = 0
    ) throws -> UInt32 {
        let body =
            [UInt8].longs(handle, offset) + .words(size ?? UInt32(bytes.count), options) + .longs(0)
            + .words(UInt32(flags), 0)
        return try call(16, 0, body, data: bytes).integer(at: 0)
    }

    func openDirectory(_ node: UInt64 = root) throws -> UInt64 { try call(27, node, .words(0, 0)).integer(at: 0) }

    /// One answer's list from `offset` on.
    func list(_ handle: UInt64, from offset: UInt64, size: UInt32 = 4096, plus: Bool) throws -> [DirectoryEntry] {
        let bytes = try call(plus ? 44 : 28, 0, .longs(handle, offset) + .words(size, 0) + .longs(0, 0))
        var result: [DirectoryEntry] = []
        var position = 0
        while position < bytes.count {
            let node: UInt64 = plus ? bytes.integer(at: position) : 0
            if plus { position += 128 }
            let length = Int(bytes.integer(at: position + 16, as: UInt32.self))
            let name = String(decoding: bytes[(position + 24)..<(position + 24 + length)], as: UTF8.self)
            result.append(DirectoryEntry(name: name, next: bytes.integer(at: position + 8), node: node))
            position += (24 + length + 7) & ~7
        }
        return result
    }

    /// The names of a whole directory without `.` and `..`, in the host's order.
    func names(_ node: UInt64 = root, size: UInt32 = 4096, plus: Bool = false) throws -> [String] {
        let handle = try openDirectory(node)
        defer { try? release(handle, isDirectory: true) }
        var names: [String] = []
        var offset: UInt64 = 0
        while case let entries = try list(handle, from: offset, size: size, plus: plus), let last = entries.last {
            names += entries.map(\.name)
            offset = last.next
        }
        return names.filter { $0 != "." && $0 != ".." }
    }
}

extension Array where Element == UInt8 {
    static func words(_ values: UInt32...) -> [UInt8] { values.flatMap { Self.bytes($0) } }
    static func longs(_ values: UInt64...) -> [UInt8] { values.flatMap { Self.bytes($0) } }
    static func text(_ text: String) -> [UInt8] { Array(text.utf8) + [0] }

    private static func bytes(_ value: some FixedWidthInteger) -> [UInt8] {
        Swift.withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }

    func integer<Integer: FixedWidthInteger>(at offset: Int, as type: Integer.Type = Integer.self) -> Integer {
        self[offset..<offset + MemoryLayout<Integer>.size].reversed().reduce(0) { $0 << 8 | Integer($1) }
    }
}
