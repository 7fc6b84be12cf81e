package import AgentClient
package import AgentProtocol
internal import HostSystem

/// A copy between this host and a guest, on the calling thread.
package struct GuestCopy {
    /// The reason why a copy failed.
    package enum Fault: Error {
        /// The copy cannot be made: the obstacle and an advice, as phrases.
        case refused(found: String, advice: String = "")
        case agent(AgentError)
        /// So many files were not copied; the others were.
        case files(Int)
    }

    let connector: any AgentConnector
    let wait: AgentWait
    /// A symbolic link that is the source stands for its target.
    let followsLink: Bool
    /// Readable when the copy has to end; nil for signals of the process.
    let stop: Int32?
    /// Called for each file that is left out, with its name.
    let onFailure: (String, TreeFault) -> Void
    /// Called with the bytes of the archive that have passed.
    let onProgress: (UInt64) -> Void

    package init(
        _ connector: any AgentConnector, wait: AgentWait, followsLink: Bool, stop: Int32? = nil,
        onFailure: @escaping (String, TreeFault) -> Void, onProgress: @escaping (UInt64) -> Void = { _ in }
    ) {
        self.connector = connector
        self.wait = wait
        self.followsLink = followsLink
        self.stop = stop
        self.onFailure = onFailure
        self.onProgress = onProgress
    }

    private final class Failures {
        var count = 0
    }

    // MARK: To the guest

    /// Copies a file or a directory of this host to a path of the guest.
    package func upload(_ path: String, to target: String) throws(Fault) {
        let source = CopyPath(path)
        let follows = followsLink || source.namesDirectory || source.name == nil
        guard let kind = HostFile(path, followsLink: follows) else {
            throw .refused(found: "\(path): \(SystemError.last("stat").reason)")
        }
        let plan = try plan(
            path, source.name == nil ? kind.realName : nil, kind.isDirectory, target, try destination(target))
        let failures = Failures()
        let reader: TreeReader
        do throws(TreeFault) {
            reader = try TreeReader(
                path: path, name: plan.name, followsLink: follows,
                onFailure: { name, fault in
                    failures.count += 1
                    onFailure(name, fault)
                })
        } catch {
            throw .refused(found: "\(path): \(error.found)")
        }
        try transfer { (transfer) throws(AgentError) in
            _ = try transfer.put(PutRequest(path: Array(plan.directory.utf8))) { room in
                let count = reader.read(into: room)
                return count > 0 ? .bytes(count) : .ended
            }
        }
        if failures.count > 0 { throw .files(failures.count) }
    }

    /// What a destination in the guest is.
    package func destination(_ path: String) throws(Fault) -> CopyPlan.Destination {
        guard let status = try status(path, followsLinks: true) else { return .absent }
        if status.kind == .directory { return .directory }
        return .file(path: status.realPath.flatMap { String(validating: $0, as: UTF8.self) } ?? path)
    }

    private func status(_ path: String, followsLinks: Bool) throws(Fault) -> FileStatus? {
        do throws(AgentError) {
            return try AgentClient(connector, wait: wait).status(of: Array(path.utf8), followsLinks: followsLinks)
        } catch {
            throw .agent(error)
        }
    }

    // MARK: From the guest

    /// Copies a file or a directory of the guest to a path of this host.
    package func download(_ path: String, to target: String) throws(Fault) {
        let (request, status) = try source(path)
        var realName: String?
        if CopyPath(path).name == nil, let real = status.realPath {
            realName = CopyPath(String(decoding: real, as: UTF8.self)).name
        }
        let plan = try plan(path, realName, status.kind == .directory, target, try hostDestination(target))
        let failures = Failures()
        let receiver: TreeReceiver
        do throws(TreeFault) {
            receiver = try TreeReceiver(
                plan,
                onFailure: { name, fault in
                    failures.count += 1
                    onFailure(name, fault)
                })
        } catch {
            throw .refused(found: "\(plan.directory): \(error.found)")
        }
        defer { receiver.abandon() }
        try transfer { (transfer) throws(AgentError) in
            _ = try transfer.get(request) { (bytes) throws(AgentError) in
                try receiver.take(bytes)
                return bytes.count
            }
            try receiver.finish()
        }
        if failures.count > 0 { throw .files(failures.count) }
    }

    private func hostDestination(_ target: String) throws(Fault) -> CopyPlan.Destination {
        guard let file = HostFile(target, followsLink: true) else { return .absent }
        if file.isDirectory { return .directory }
        guard file.isRegular else {
            throw .refused(found: "\(target) is not a file or a directory", advice: "use - for a tar stream")
        }
        return .file(path: file.realPath)
    }

    /// The request for a source in the guest, and its status.
    package func source(_ path: String) throws(Fault) -> (GetRequest, FileStatus) {
        let parts = CopyPath(path)
        let follows = followsLink || parts.namesDirectory
        guard let status = try status(path, followsLinks: follows) else {
            throw .refused(found: "\(path) does not exist in the guest")
        }
        // A slash at the end would take the directory's name out of the stream.
        var request = GetRequest(paths: [Array(parts.path.utf8)])
        request.followsLinks = follows
        return (request, status)
    }

    // MARK: Both

    private func plan(
        _ source: String, _ sourceName: String?, _ isDirectory: Bool, _ target: String, _ state: CopyPlan.Destination
    ) throws(Fault) -> CopyPlan {
        do throws(CopyPlan.Obstacle) {
            return try CopyPlan(
                source: source, sourceName: sourceName, isDirectory: isDirectory, destination: target, state)
        } catch {
            throw .refused(found: "\(target): \(error.found)")
        }
    }

    /// Calls `body` with a connection for an archive.
    package func transfer(
        _ body: (inout ArchiveTransfer) throws(AgentError) -> Void
    ) throws(Fault) {
        do throws(AgentError) {
            var transfer = try ArchiveTransfer(connector, wait: wait, stop: stop, onProgress: onProgress)
            try body(&transfer)
        } catch {
            throw .agent(error)
        }
    }
}
