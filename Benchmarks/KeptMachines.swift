import Foundation
import GuestToolchain

/// The machines of a benchmark that `aerie` keeps, in a state directory of their own: no other machine is touched.
struct KeptMachines {
    let aerie: String
    /// The state directory; made when the first machine is.
    let directory: URL
    /// Where the snapshots of images are; nil for the user's directory.
    var cache: URL?

    /// Starts the program for a verb.
    ///
    /// - Parameter output: nil to drop it.
    func start(_ words: [String], output: Int32? = nil) throws -> ChildProgram {
        try ChildProgram(aerie, words, environment: environment, output: output)
    }

    /// The environment in which `aerie` finds these machines.
    var environment: [String: String] {
        var environment = ProcessInfo.processInfo.environment
        environment["XDG_STATE_HOME"] = directory.path
        if let cache { environment["XDG_CACHE_HOME"] = cache.path }
        return environment
    }

    /// Runs a verb to its end, and returns its output.
    @discardableResult
    func run(_ words: [String]) throws -> String {
        let pipe = Pipe()
        let program = try start(words, output: pipe.fileHandleForWriting.fileDescriptor)
        try pipe.fileHandleForWriting.close()
        let data = try pipe.fileHandleForReading.readToEnd() ?? Data()
        let end = try program.awaitEnd()
        guard end == .exited(0) else {
            throw BenchmarkError("aerie \(words.joined(separator: " ")) ended with \(end.code)")
        }
        return String(decoding: data, as: UTF8.self)
    }

    /// What `aerie inspect` says of a machine.
    func inspect(_ machine: String) throws -> [String: Any] {
        let text = try run(["inspect", machine])
        let machines = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [[String: Any]]
        return machines?.first ?? [:]
    }

    /// The process that runs a machine's guest.
    func process(of machine: String) throws -> pid_t {
        guard let status = try inspect(machine)["status"] as? [String: Any], let process = status["process"] as? Int,
            process > 0
        else { throw BenchmarkError("the machine \(machine) does not run") }
        return pid_t(process)
    }

    /// Removes all machines.
    func removeAll() {
        let names = (try? run(["ps", "--all", "--quiet"]))?.split(separator: "\n").map(String.init) ?? []
        if !names.isEmpty { _ = try? run(["rm", "--force"] + names) }
    }
}
