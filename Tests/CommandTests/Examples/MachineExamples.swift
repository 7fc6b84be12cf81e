import AerieMachines
import Foundation

// The articles of Sources/AerieMachines/AerieMachines.docc quote this file; DocumentationTests compares them.

/// The kernel's release in a guest of an image. The machine is gone afterwards.
func kernelRelease(of image: String) async throws -> String {
    let store = try MachineStore()
    let settings = MachineSettings(image: try await store.image(image))
    return try await store.withMachine(settings) { machine in
        try await machine.run(["uname", "-r"]).text
    }
}

/// Makes a machine that is kept, and starts it.
func startBuilder(_ name: String, from image: GuestImage, in store: MachineStore) async throws(AerieError)
    -> JailedMachine
{
    var settings = MachineSettings(image: image)
    settings.name = name
    settings.configuration.cpus = 2
    settings.configuration.memory = .mebibytes(1024)
    settings.diskSize = .mebibytes(8192)
    let machine = try await store.create(settings)
    try await machine.start()
    try await machine.waitUntilReady()
    return machine
}

/// Finds the image of a recipe, or builds it.
func pythonImage(in store: MachineStore) async throws(AerieError) -> GuestImage {
    if let image = try? await store.image("python") { return image }
    var recipe = ImageRecipe(packages: ["python3"])
    recipe.name = "python"
    return try await store.buildImage(recipe) { print($0.phase, $0.completed, $0.total) }
}

/// Follows a command's output line by line, and ends the command at the first error.
func firstError(of command: GuestCommand, through agent: GuestAgent) async throws(AerieError) -> String? {
    let running = try await agent.exec(command)
    running.dropError()
    for try await line in running.output.lines where line.hasPrefix("error:") { return line }
    return nil
}

/// Runs each input through a command of its own, all of them at once.
func answers(to inputs: [String], by command: GuestCommand, through agent: GuestAgent) async throws -> [String] {
    try await withThrowingTaskGroup(of: (Int, String).self) { group in
        for (index, input) in inputs.enumerated() {
            group.addTask { (index, try await agent.run(command, input: Array(input.utf8)).text) }
        }
        return try await group.reduce(into: [String](repeating: "", count: inputs.count)) { $0[$1.0] = $1.1 }
    }
}

/// Runs a program in a terminal, and keeps the window's size the same as that of the windows in `sizes`.
func runInTerminal(
    _ program: String, sizes: AsyncStream<TerminalSize>, through agent: GuestAgent
) async throws(AerieError) -> CommandStatus {
    var command: GuestCommand = [program]
    command.terminal = TerminalSize(columns: 80, rows: 24)
    command.environment = ["TERM": "xterm-256color"]
    let running = try await agent.exec(command, hasInput: true)
    let resizing = Task { for await size in sizes { try? running.resize(to: size) } }
    defer { resizing.cancel() }
    for try await bytes in running.output { FileHandle.standardOutput.write(Data(bytes)) }
    return try await running.status
}

/// Makes a machine smaller while it has little to do, and larger again while it is busy.
func adaptMemory(of machine: JailedMachine) async throws(AerieError) {
    var last: MachineStatistics?
    for await statistics in machine.statistics(every: .seconds(5)) {
        defer { last = statistics }
        guard let last, let rates = statistics.rates(since: last) else { continue }
        var changes = MachineChanges()
        changes.memory = rates.cpu < 5 ? .mebibytes(256) : .mebibytes(1024)
        try await machine.change(changes)
    }
}
