import AerieMachines

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
