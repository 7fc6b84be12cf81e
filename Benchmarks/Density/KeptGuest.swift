import Foundation

/// The machines of one run, in a state directory of its own, so that the user's machines are not touched.
struct DensityStore {
    let aerie: String
    let directory: URL

    /// Runs a verb, and returns its output.
    @discardableResult
    func run(_ words: [String]) throws -> String {
        let process = Process()
        process.executableURL = URL(filePath: aerie)
        process.arguments = words
        var environment = ProcessInfo.processInfo.environment
        environment["XDG_STATE_HOME"] = directory.path
        process.environment = environment
        process.standardInput = FileHandle.nullDevice
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let text = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw BenchmarkError("\(words.joined(separator: " ")) ended with \(process.terminationStatus)")
        }
        return text
    }
}

/// An idle guest of Aerie, in a machine that is kept. It answers commands through its agent.
struct KeptGuest: IdleGuest {
    private struct Listing: Decodable {
        let name: String
        let process: pid_t?
    }

    let store: DensityStore
    let name: String

    /// Starts a machine, and returns when its guest answers.
    static func start(_ store: DensityStore, name: String, image: String, options: [String]) throws -> KeptGuest {
        let words = ["run", "--detach", "--name", name, "--memory", "512M", "--network", "none"]
        try store.run(words + options + [image] + DensityGuest.command)
        let guest = KeptGuest(store: store, name: name)
        do {
            try store.run(["exec", "--wait", "600", name, "true"])
        } catch {
            guest.end()
            throw error
        }
        return guest
    }

    func proportionalMemory() throws -> Int {
        let listings = try JSONDecoder().decode(
            [Listing].self, from: Data(try store.run(["ps", "--format", "json"]).utf8))
        guard let process = listings.first(where: { $0.name == name })?.process else {
            throw BenchmarkError("the machine \(name) does not run")
        }
        return try ProcessTree.proportionalMemory(of: ProcessTree.root(of: process))
    }

    func check() throws { try store.run(["exec", name, "true"]) }

    func end() { _ = try? store.run(["rm", "--force", name]) }
}
