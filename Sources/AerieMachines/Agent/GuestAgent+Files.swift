internal import AgentClient
internal import AgentProtocol
internal import HostSystem
internal import TarStream

extension GuestAgent {
    /// Copies a file or a directory of this host into the guest; see `AgentMachine.copyIn`.
    public func copyIn(_ source: String, to destination: String) async throws(AerieError) {
        try await copy("copying \(source) to \(destination) in machine '\(name)'") { (copy) throws(GuestCopy.Fault) in
            try copy.upload(source, to: destination)
        }
    }

    /// Copies a file or a directory of the guest to this host; see `AgentMachine.copyOut`.
    public func copyOut(_ source: String, to destination: String) async throws(AerieError) {
        try await copy("copying \(source) in machine '\(name)' to \(destination)") { (copy) throws(GuestCopy.Fault) in
            try copy.download(source, to: destination)
        }
    }

    /// Writes a file of the guest, in place of an older one. It belongs to root.
    ///
    /// - Parameters:
    ///   - path: of the guest; its directory exists.
    ///   - bytes: the file's contents.
    ///   - mode: permission bits, 0 to 0o777.
    /// - Throws: `refusedByGuest`, `connectionLost` and `cancelled`.
    public func writeFile(_ path: String, _ bytes: [UInt8], mode: UInt32 = 0o644) async throws(AerieError) {
        let asked = "writing \(path) in machine '\(name)'"
        let place = CopyPath(path)
        guard let file = place.name, !place.namesDirectory else {
            throw AerieError(.usage, asked: asked, found: "it is not a path of a file")
        }
        var member = TarMember(path: Array(file.utf8), kind: .file, mode: mode & 0o777)
        member.size = UInt64(bytes.count)
        member.modified = Int64(clamping: HostClock.realtime())
        let archive = TarWriter.header(member) + bytes + TarWriter.padding(behind: member.size) + TarWriter.end
        try await copy(asked) { (copy) throws(GuestCopy.Fault) in
            var done = 0
            try copy.transfer { (transfer) throws(AgentError) in
                _ = try transfer.put(PutRequest(path: Array(place.parent.utf8))) { room in
                    let count = min(room.count, archive.count - done)
                    room.copyBytes(from: archive[done..<done + count])
                    done += count
                    return count > 0 ? .bytes(count) : .ended
                }
            }
        }
    }

    /// Reads a file of the guest.
    ///
    /// - Parameters:
    ///   - path: of the guest. A symbolic link stands for its target.
    ///   - limit: the most bytes of the file.
    /// - Throws: `badInput` for something that is not a file, or has more bytes; `refusedByGuest`, `connectionLost` and `cancelled`.
    public func readFile(_ path: String, limit: Int = 16 << 20) async throws(AerieError) -> [UInt8] {
        let asked = "reading \(path) in machine '\(name)'"
        let contents = Monitor<[UInt8]?>(nil)
        try await copy(asked) { (copy) throws(GuestCopy.Fault) in
            let (request, status) = try copy.source(path)
            guard status.kind == .file else { throw .refused(found: "it is not a file") }
            guard status.size <= UInt64(limit) else {
                throw .refused(found: "it has \(status.size) bytes, and the limit is \(limit)")
            }
            var file = SingleFile(limit: limit)
            try copy.transfer { (transfer) throws(AgentError) in
                _ = try transfer.get(request) { (bytes) throws(AgentError) in try file.take(bytes) }
            }
            contents.withLock { $0 = file.bytes }
        }
        guard let bytes = contents.withLock({ $0 }) else {
            throw AerieError(.badInput, asked: asked, found: "the guest sent no file of at most \(limit) bytes")
        }
        return bytes
    }

    /// Calls `body` on a thread of its own; a task that is cancelled ends the transfer.
    private func copy(
        _ asked: String, _ body: @escaping @Sendable (GuestCopy) throws(GuestCopy.Fault) -> Void
    ) async throws(AerieError) {
        let stop = try WakeEvent()
        let connector = CancellableConnector(connector)
        let first = Monitor<String?>(nil)
        let result: Result<Void, AerieError> = await withTaskCancellationHandler {
            do throws(AerieError) {
                try await BlockingWork.run("guest-copy") { () throws(AerieError) in
                    let copy = GuestCopy(
                        connector, wait: wait, followsLink: true, stop: stop.descriptor,
                        onFailure: { name, fault in
                            first.withLock { if $0 == nil { $0 = "\(name): \(fault.found)" } }
                        })
                    do throws(GuestCopy.Fault) {
                        try body(copy)
                    } catch {
                        throw AerieError(asked: asked, error, first: first.withLock { $0 })
                    }
                }
                return .success(())
            } catch { return .failure(error) }
        } onCancel: {
            connector.cancel()
            stop.signal()
        }
        if case .failure = result { try AerieError.checkCancellation(asked) }
        try result.get()
    }
}

/// The contents of the first file of an archive.
private struct SingleFile {
    private var reader = TarReader()
    private let limit: Int
    /// Nil until the file is complete.
    private(set) var bytes: [UInt8]?
    private var pending: [UInt8]?

    init(limit: Int) { self.limit = limit }

    mutating func take(_ piece: UnsafeRawBufferPointer) throws(AgentError) -> Int {
        reader.append(piece)
        do throws(TarFault) {
            while let event = try reader.next() {
                switch event {
                case .member(let member):
                    // A guest may send anything: a larger file than it said is no file.
                    guard bytes == nil, member.kind == .file, member.size <= UInt64(limit) else { break }
                    pending = [UInt8](repeating: 0, count: Int(member.size))
                case .data(let offset, let data):
                    guard let count = pending?.count, offset + UInt64(data.count) <= UInt64(count) else { break }
                    pending?.replaceSubrange(Int(offset)..<Int(offset) + data.count, with: data)
                case .memberEnd:
                    if let pending { bytes = pending }
                    pending = nil
                case .archiveEnd: break
                }
            }
        } catch {
            throw .brokenArchive("\(error.text)")
        }
        return piece.count
    }
}

extension AerieError {
    /// - Parameter first: the first file that was not copied, and why.
    fileprivate init(asked: String, _ fault: GuestCopy.Fault, first: String?) {
        switch fault {
        case .refused(let found, let advice): self.init(.badInput, asked: asked, found: found, advice: advice)
        case .agent(let error): self.init(asked: asked, error)
        case .files(let count):
            let files = count == 1 ? "1 file was" : "\(count) files were"
            self.init(
                .badInput, asked: asked, found: "\(files) not copied",
                advice: first.map { "the first one is \($0)" } ?? "")
        }
    }
}
