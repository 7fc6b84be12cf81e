import Aerie

// The articles of Sources/Aerie/Aerie.docc quote this file; DocumentationTests compares them.

/// Runs a machine to its end, types a text at its console, and returns what the guest wrote.
func converse(_ configuration: Configuration, typing text: String) async throws(AerieError) -> String {
    let machine = try VirtualMachine(configuration)
    let console = try machine.openConsole()
    try await machine.start()
    try await console.send(text)
    let (bytes, _) = try await console.output.collect(upTo: 1 << 20)
    return String(decoding: bytes, as: UTF8.self)
}

/// The states of a machine until its end.
func life(of machine: some GuestMachine) async -> [VirtualMachine.State] {
    var states: [VirtualMachine.State] = []
    for await state in machine.states { states.append(state) }
    return states
}
