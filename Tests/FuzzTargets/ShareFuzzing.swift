internal import Glibc
internal import SharedFolders

/// The entry for requests of a shared folder: a guest's sequence of them, against a directory with some files.
///
/// An input is a sequence of records: two bytes of length, and as many bytes of a request, with its header.
enum ShareFuzzing {
    private static let requestLimit = 64
    private static let room = 4096
    private static let headerSize = FileRequest.headerSize

    static func fuse(_ bytes: [UInt8]) {
        var template = Array("/tmp/aerie-fuzz-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { return }
        let outer = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer { remove(template) }
        let share = "\(outer)/share"
        mkdir(share, 0o755)
        mkdir("\(share)/directory", 0o755)
        symlink(outer, "\(share)/link")
        mkfifo("\(share)/fifo", 0o600)
        close(open("\(share)/file", O_CREAT | O_RDWR, 0o644))
        guard let server = try? FileServer(path: share, ownership: .caller, isReadOnly: false, limits: limits) else {
            return
        }
        var rest = bytes[...]
        for _ in 0..<requestLimit {
            guard rest.count > 2 else { break }
            let length = Int(rest.removeFirst()) | Int(rest.removeFirst()) << 8
            serve(Array(rest.prefix(length)), server)
            rest = rest.dropFirst(length)
        }
        if let again = try? FileServer(path: share, ownership: .caller, isReadOnly: false, limits: limits) {
            precondition((try? again.restore(server.save())) != nil, "a share does not take its own state back")
        }
        precondition(names(template) == ["share".utf8CString.map { $0 }], "a request has reached beyond the share")
    }

    private static let limits: FileServer.Limits = {
        var limits = FileServer.Limits()
        limits.places = 2
        limits.nodes = 64
        limits.handles = 8
        return limits
    }()

    private static func serve(_ bytes: [UInt8], _ server: FileServer) {
        let copied = FileRequest.copiedSize(header: bytes, length: bytes.count)
        var (input, output) = (Array(bytes.dropFirst(copied)), [UInt8](repeating: 0, count: room))
        // Space is the host's: a guest may ask for much of it, a fuzzer shall not.
        if bytes.count > 4, bytes[4] == 43 || bytes[4] == 50 { return }
        let reply = input.withUnsafeMutableBytes { source in
            output.withUnsafeMutableBytes { target -> FileReply? in
                var (from, to) = (TransferBuffers(), TransferBuffers())
                from.append(source)
                to.append(target)
                guard
                    let request = FileRequest(
                        Array(bytes.prefix(copied)), length: bytes.count, input: from, output: to, room: room)
                else { return .failure(EINVAL) }
                return server.serve(request, immediate: true) ?? server.serve(request, immediate: false)
            }
        }
        switch reply {
        case .payload(let payload)?: precondition(payload.count <= room, "an answer exceeds its room")
        case .filled(let count)?: precondition(count <= room, "data exceed their room")
        case .failure(let code)?: precondition(code > 0 && code < 4096, "an error is no errno value")
        case nil: preconditionFailure("a request that may wait has no answer")
        case FileReply.none?: break
        }
    }

    // MARK: The host's directory

    /// The names in a directory, which a guest may have made of any bytes, each with a NUL at its end.
    private static func names(_ path: [CChar]) -> [[CChar]] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var result: [[CChar]] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                bytes.prefix { $0 != 0 }.map { CChar(bitPattern: $0) } + [0]
            }
            if name != ".".utf8CString.map({ $0 }), name != "..".utf8CString.map({ $0 }) { result.append(name) }
        }
        return result
    }

    private static func remove(_ path: [CChar]) {
        chmod(path, 0o700)
        for name in names(path) {
            let entry = path.dropLast() + [CChar(bitPattern: UInt8(ascii: "/"))] + name
            if unlink(Array(entry)) != 0 { remove(Array(entry)) }
        }
        rmdir(path)
    }
}
