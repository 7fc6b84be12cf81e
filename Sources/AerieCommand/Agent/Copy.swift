internal import AerieMachines
internal import AgentClient
internal import AgentProtocol
internal import Glibc
internal import HostSystem

/// A copy between this host and a guest, with its messages on standard error.
struct Copy {
    /// Lines about single files at most; a guest could send any number of bad ones.
    private static let mostLines = 100

    /// The request, for error lines.
    let asked: String
    let followsLink: Bool
    let wait: AgentWait

    // MARK: To the guest

    func upload(_ path: String, to name: String, _ target: String) throws {
        try copy(with: name) { (copy) throws(GuestCopy.Fault) in try copy.upload(path, to: target) }
    }

    func uploadStream(to name: String, _ target: String) throws {
        try copy(with: name) { (copy) throws(GuestCopy.Fault) in
            guard case .directory = try copy.destination(target) else {
                throw .refused(found: "\(target) is not a directory of the guest", advice: "give one that exists")
            }
            let input = NonblockingInput(STDIN_FILENO)
            try copy.transfer { (transfer) throws(AgentError) in
                _ = try transfer.put(PutRequest(path: Array(target.utf8)), descriptor: STDIN_FILENO) { room in
                    input.read(into: room)
                }
            }
        }
    }

    // MARK: From the guest

    func download(_ name: String, _ path: String, to target: String) throws {
        try copy(with: name) { (copy) throws(GuestCopy.Fault) in try copy.download(path, to: target) }
    }

    func downloadStream(_ name: String, _ path: String) throws {
        guard !Terminal.isTerminal(STDOUT_FILENO) else {
            throw AgentVerbError(
                .usage, asked: asked, found: "standard output is a terminal", advice: "redirect it to a file or a pipe")
        }
        try copy(with: name) { (copy) throws(GuestCopy.Fault) in
            let (request, _) = try copy.source(path)
            let output = RelayOutput(STDOUT_FILENO)
            try copy.transfer { (transfer) throws(AgentError) in
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
    }

    // MARK: Both

    /// Counts files that failed.
    private final class Failures {
        var count = 0
    }

    private func copy(with name: String, _ body: (GuestCopy) throws(GuestCopy.Fault) -> Void) throws {
        let connector = try MachineEndpoints.agent(named: name)
        let display = StandardError.isTerminal ? ProgressDisplay(title: "cp") : nil
        let failures = Failures()
        let copy = GuestCopy(
            connector, wait: wait, followsLink: followsLink,
            onFailure: { name, fault in
                failures.count += 1
                if failures.count <= Self.mostLines { StandardError.write("aerie: cp: \(name): \(fault.found)\n") }
                if failures.count == Self.mostLines { StandardError.write("aerie: cp: further files are not named\n") }
            }, onProgress: { display?.show("Copying", done: $0) })
        let fault: GuestCopy.Fault?
        do throws(GuestCopy.Fault) {
            try body(copy)
            fault = nil
        } catch { fault = error }
        display?.finish()
        guard let fault else { return }
        throw error(fault)
    }

    private func error(_ fault: GuestCopy.Fault) -> AgentVerbError {
        switch fault {
        case .refused(let found, let advice): AgentVerbError(.failed, asked: asked, found: found, advice: advice)
        case .agent(let error): AgentVerbError(asked: asked, error, code: exitCode(error))
        case .files(let count):
            AgentVerbError(
                .failed, asked: asked, found: "\(count == 1 ? "1 file was" : "\(count) files were") not copied")
        }
    }

    /// A refusal is about a file.
    private func exitCode(_ error: AgentError) -> Int32? {
        switch error {
        case .refused, .brokenArchive: 1
        case .interrupted(let signal): 128 + signal
        default: nil
        }
    }
}
