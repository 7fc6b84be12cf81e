import AgentProtocol
import AgentTestSupport
import Foundation
import GuestAgentPrograms
import GuestToolchain
import TestSupport

/// The agent for x86-64 guests as a program of this host, on a socket of Unix: the program that a guest runs, without a guest.
final class AgentProcess {
    let path: String
    let directory = TemporaryDirectory()
    private let agent: ChildProgram

    /// - Parameter bootMark: the name of a file in `directory` that is not empty while the guest boots.
    init(bootMark: String? = nil) throws {
        path = directory.path("agent.sock")
        let program = try directory.program("agent", GuestAgentPrograms.program(.x86_64))
        var words = ["--socket", path]
        if let bootMark { words.append(try directory.file(bootMark, Data("booting".utf8))) }
        agent = try ChildProgram(program, words)
        guard Patience.wait(until: { (try? AgentClient(path)) != nil }) else {
            throw AgentClient.Failure(description: "the agent does not listen")
        }
    }

    deinit {
        agent.send(SIGTERM)
        _ = try? agent.awaitEnd()
    }

    func client() throws -> AgentClient { try AgentClient(path) }

    func execute(_ request: ExecuteRequest, input: [UInt8]? = nil) throws -> AgentClient.Execution {
        try client().execute(request, input: input)
    }

    func shell(_ script: String, input: [UInt8]? = nil) throws -> AgentClient.Execution {
        try execute(ExecuteRequest("sh", "-c", script), input: input)
    }

    func answer(_ request: AgentRequest) throws -> AgentMessage? { try client().answer(request) }

    var isRunning: Bool { agent.isRunning }

    /// Kilobytes of resident memory.
    var residentMemory: Int {
        let status = (try? String(contentsOfFile: "/proc/\(agent.identifier)/status", encoding: .utf8)) ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") } ?? ""
        return line.split(separator: " ").dropFirst().first.flatMap { Int($0.trimmingCharacters(in: .whitespaces)) }
            ?? -1
    }
}
