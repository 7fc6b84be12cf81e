import Foundation

/// The machines of a benchmark that `aerie` keeps, in a state directory of their own: no other machine is touched.
struct KeptMachines {
    let aerie: String
    /// The state directory; made when the first machine is.
    let directory: URL
    /// Where the snapshots of images are; nil for the user's directory.
    var cache: URL?

    /// A process for a verb, which is not started yet; its output is dropped.
    func client(_ words: [String]) -> Process {
        let process = Process()
        process.executableURL = URL(filePath: aerie)
        process.arguments = words
        var environment = ProcessInfo.processInfo.environment
        environment["XDG_STATE_HOME"] = directory.path
        if let cache { environment["XDG_CACHE_HOME"] = cache.path }
        process.environment = environment
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        return process
    }

    /// Runs a verb to its end, and returns its output.
    @discardableResult
    func run(_ words: [String]) throws -> String {
        let process = client(words)
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let data = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw BenchmarkError("aerie \(words.joined(separator: " ")) ended with \(process.terminationStatus)")
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
