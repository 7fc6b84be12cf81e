import Support

/// GET: packs files and trees into a tar stream.
final class Packing: Work {
    private let request: GetRequest
    private var nextPath = 0
    private var tree = PackTree()
    private var source = PackSource()
    private var files: UInt64 = 0
    private var bytes: UInt64 = 0
    private var phase = Phase.members
    /// The first file that changed or failed while it was read.
    private var failure: AgentFailure?

    private enum Phase {
        case members, end, answer
    }

    init(_ session: Session, _ request: GetRequest) throws(AgentFailure) {
        self.request = request
        super.init(session)
        // A path that does not exist is an answer of its own, before any data.
        for path in request.paths {
            do throws(Errno) {
                _ = try FileFacts.statx(FileFacts.absolute(path), followsLinks: request.followsLinks)
            } catch {
                throw FileFacts.failure(path, error)
            }
        }
    }

    override func produce() -> Bool {
        if phase == .answer {
            session.send(failure.map { .error($0) } ?? .done(files: files, bytes: bytes))
            session.finish()
            return true
        }
        let count = session.sendData(stream: 1) { place, size in fill(place, size) }
        if count > 0 { return true }
        if count < 0 {
            session.fail(.outOfMemory)
            return false
        }
        session.send(.end(stream: 1))
        phase = .answer
        return true
    }

    /// Fills a chunk of the archive; the result is its size, zero at the archive's end.
    private func fill(_ place: UnsafeMutableRawPointer, _ size: Int) -> Int {
        var filled = 0
        while filled < size {
            let count = source.read(place + filled, size - filled)
            filled += count
            if count > 0 { continue }
            if let text = source.takeFailure() { note(text) }
            guard phase == .members else { break }
            if !beginNext() {
                phase = .end
                source.begin(header: TarWriter.end)
            }
        }
        return filled
    }

    private func note(_ failure: AgentFailure) {
        if self.failure == nil { self.failure = failure }
    }

    /// Begins the next member; false behind the last one.
    private func beginNext() -> Bool {
        while true {
            if let name = tree.next() {
                if begin(name.directory, name.name, name.path, flags: OpenFlags.symlinkNoFollow) { return true }
                continue
            }
            guard nextPath < request.paths.count else { return false }
            let path = request.paths[nextPath]
            nextPath += 1
            let flags = request.followsLinks ? 0 : OpenFlags.symlinkNoFollow
            if begin(Int32(OpenFlags.here), FileFacts.absolute(path), Self.memberName(path), flags: flags) {
                return true
            }
        }
    }

    /// The last component of a path, or `.` if the path ends in `/`, `/.` or `/..`.
    private static func memberName(_ path: [UInt8]) -> [UInt8] {
        let last = path.parts(separatedBy: UInt8(ascii: "/")).last ?? []
        return last.isEmpty || last == "." || last == ".." ? [UInt8](".") : last
    }

    /// False if the file is left out: it has vanished, or it is a socket or a device.
    private func begin(_ directory: Int32, _ name: [UInt8], _ path: [UInt8], flags: Int) -> Bool {
        let result = name.withCString { FileFacts.statx(Int(directory), Int($0), flags) }
        let status: aerie_statx
        switch result {
        case .success(let found): status = found
        case .failure(let error):
            if error != .noEntry { note(AgentFailure(.file, path, error)) }
            return false
        }
        guard let kind = kind(status, directory, name, path) else { return false }
        var member = TarMember(path: path, kind: kind, mode: UInt32(status.mode & 0o7777))
        member.owner = status.owner
        member.group = status.group
        member.modified = FileFacts.nanoseconds(status.modified)
        do throws(Errno) {
            switch kind {
            case .file:
                bytes += try source.begin(member, directory, name, flags)
            case .directory:
                try tree.enter(directory, name, path, flags)
                source.begin(header: TarWriter.header(member))
            default: source.begin(header: TarWriter.header(member))
            }
        } catch {
            if error != .noEntry { note(AgentFailure(.file, path, error)) }
            return false
        }
        files += 1
        return true
    }

    private func kind(_ status: aerie_statx, _ directory: Int32, _ name: [UInt8], _ path: [UInt8]) -> TarMember.Kind? {
        switch FileFacts.kind(status.mode) {
        case .file:
            if status.links > 1, let first = tree.firstName(of: status, path) { return .hardLink(target: first) }
            return .file
        case .directory: return .directory
        case .symbolicLink: return FileFacts.readLink(directory, name).map { .symbolicLink(target: $0) }
        case .fifo: return .fifo
        case .characterDevice, .blockDevice, .socket: return nil
        }
    }

    override func abandon() {
        tree.leaveAll()
        source.end()
    }
}
