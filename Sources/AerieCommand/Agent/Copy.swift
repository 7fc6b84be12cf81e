internal import AgentClient
internal import AgentProtocol
internal import Glibc
internal import HostSystem

/// A copy between this host and a guest.
struct Copy {
    /// Lines about single files at most; a guest could send any number of bad ones.
    private static let mostLines = 100

    /// The request, for error lines.
    let asked: String
    let followsLink: Bool
    let wait: AgentWait

    /// Counts files that failed, and names the first ones.
    private final class Failures {
        private(set) var count = 0

        func add(_ name: String, _ fault: TreeFault) {
            count += 1
            if count <= Copy.mostLines { StandardError.write("aerie: cp: \(name): \(fault.found)\n") }
            if count == Copy.mostLines { StandardError.write("aerie: cp: further files are not named\n") }
        }
    }

    // MARK: To the guest

    func upload(_ path: String, to name: String, _ target: String) throws {
        let connector = try MachineEndpoints.agent(named: name)
        let source = CopyPath(path)
        let follows = followsLink || source.namesDirectory || source.name == nil
        guard let kind = HostFile(path, followsLink: follows) else {
            throw AgentVerbError(.failed, asked: asked, found: "\(path): \(SystemError.last("stat").reason)")
        }
        let plan = try plan(path, source.name == nil ? kind.realName : nil, kind.isDirectory, target) {
            try destination(target, connector)
        }
        let failures = Failures()
        let reader: TreeReader
        do throws(TreeFault) {
            reader = try TreeReader(
                path: path, name: plan.name, followsLink: follows, onFailure: { failures.add($0, $1) })
        } catch {
            throw AgentVerbError(.failed, asked: asked, found: "\(path): \(error.found)")
        }
        try transfer(connector) { (transfer) throws(AgentError) in
            _ = try transfer.put(PutRequest(path: Array(plan.directory.utf8))) { room in
                let count = reader.read(into: room)
                return count > 0 ? .bytes(count) : .ended
            }
        }
        try finish(failures)
    }

    func uploadStream(to name: String, _ target: String) throws {
        let connector = try MachineEndpoints.agent(named: name)
        guard case .directory = try destination(target, connector) else {
            throw AgentVerbError(
                .failed, asked: asked, found: "\(target) is not a directory of the guest",
                advice: "give one that exists")
        }
        let input = NonblockingInput(STDIN_FILENO)
        try transfer(connector) { (transfer) throws(AgentError) in
            _ = try transfer.put(PutRequest(path: Array(target.utf8)), descriptor: STDIN_FILENO) { room in
                input.read(into: room)
            }
        }
    }

    /// What the destination in the guest is.
    private func destination(
        _ path: String, _ connector: any AgentConnector
    ) throws(AgentVerbError) -> CopyPlan.Destination {
        guard let status = try status(path, followsLinks: true, connector) else { return .absent }
        if status.kind == .directory { return .directory }
        return .file(path: status.realPath.flatMap { String(validating: $0, as: UTF8.self) } ?? path)
    }

    private func status(
        _ path: String, followsLinks: Bool, _ connector: any AgentConnector
    ) throws(AgentVerbError) -> FileStatus? {
        do throws(AgentError) {
            return try AgentClient(connector, wait: wait).status(of: Array(path.utf8), followsLinks: followsLinks)
        } catch {
            throw AgentVerbError(asked: asked, error, code: exitCode(error))
        }
    }

    // MARK: From the guest

    func download(_ name: String, _ path: String, to target: String) throws {
        let connector = try MachineEndpoints.agent(named: name)
        let (request, status) = try source(path, connector)
        var realName: String?
        if CopyPath(path).name == nil, let real = status.realPath {
            realName = CopyPath(String(decoding: real, as: UTF8.self)).name
        }
        let plan = try plan(path, realName, status.kind == .directory, target) {
            guard let file = HostFile(target, followsLink: true) else { return .absent }
            if file.isDirectory { return .directory }
            guard file.isRegular else {
                throw AgentVerbError(
                    .failed, asked: asked, found: "\(target) is not a file or a directory",
                    advice: "use - for a tar stream")
            }
            return .file(path: file.realPath)
        }
        let failures = Failures()
        let receiver: TreeReceiver
        do throws(TreeFault) {
            receiver = try TreeReceiver(plan, onFailure: { failures.add($0, $1) })
        } catch {
            throw AgentVerbError(.failed, asked: asked, found: "\(plan.directory): \(error.found)")
        }
        defer { receiver.abandon() }
        try transfer(connector) { (transfer) throws(AgentError) in
            _ = try transfer.get(request) { (bytes) throws(AgentError) in
                try receiver.take(bytes)
                return bytes.count
            }
            try receiver.finish()
        }
        try finish(failures)
    }

    func downloadStream(_ name: String, _ path: String) throws {
        guard !Terminal.isTerminal(STDOUT_FILENO) else {
            throw AgentVerbError(
                .usage, asked: asked, found: "standard output is a terminal", advice: "redirect it to a file or a pipe")
        }
        let connector = try MachineEndpoints.agent(named: name)
        let (request, _) = try source(path, connector)
        let output = RelayOutput(STDOUT_FILENO)
        try transfer(connector) { (transfer) throws(AgentError) in
            _ = try transfer.get(request, descriptor: STDOUT_FILENO) { (bytes) throws(AgentError) in
                switch output.write(bytes) {
                case .written(let count): return count
                case .full: return 0
                case .closed: throw .interrupted(SIGPIPE)
                case .failed(let error): throw .output(error)
                }
            }
        }
    }

    /// The request for a source in the guest, and its status.
    private func source(
        _ path: String, _ connector: any AgentConnector
    ) throws(AgentVerbError) -> (GetRequest, FileStatus) {
        let parts = CopyPath(path)
        let follows = followsLink || parts.namesDirectory
        guard let status = try status(path, followsLinks: follows, connector) else {
            throw AgentVerbError(.failed, asked: asked, found: "\(path) does not exist in the guest")
        }
        // A slash at the end would take the directory's name out of the stream.
        var request = GetRequest(paths: [Array(parts.path.utf8)])
        request.followsLinks = follows
        return (request, status)
    }

    // MARK: Both

    private func plan(
        _ source: String, _ sourceName: String?, _ isDirectory: Bool, _ target: String,
        _ state: () throws -> CopyPlan.Destination
    ) throws -> CopyPlan {
        let state = try state()
        do throws(CopyPlan.Obstacle) {
            return try CopyPlan(
                source: source, sourceName: sourceName, isDirectory: isDirectory, destination: target, state)
        } catch {
            throw AgentVerbError(.failed, asked: asked, found: "\(target): \(error.found)")
        }
    }

    private func transfer(
        _ connector: any AgentConnector, _ body: (inout ArchiveTransfer) throws(AgentError) -> Void
    ) throws(AgentVerbError) {
        let display = StandardError.isTerminal ? ProgressDisplay(title: "cp") : nil
        let result: AgentError?
        do throws(AgentError) {
            var transfer = try ArchiveTransfer(
                connector, wait: wait, onProgress: { display?.show("Copying", done: $0) })
            try body(&transfer)
            result = nil
        } catch {
            result = error
        }
        display?.finish()
        guard let result else { return }
        throw AgentVerbError(asked: asked, result, code: exitCode(result))
    }

    /// A refusal is about a file.
    private func exitCode(_ error: AgentError) -> Int32? {
        switch error {
        case .refused, .brokenArchive: 1
        case .interrupted(let signal): 128 + signal
        default: nil
        }
    }

    private func finish(_ failures: Failures) throws(AgentVerbError) {
        guard failures.count > 0 else { return }
        let files = failures.count == 1 ? "1 file was" : "\(failures.count) files were"
        throw AgentVerbError(.failed, asked: asked, found: "\(files) not copied")
    }
}
