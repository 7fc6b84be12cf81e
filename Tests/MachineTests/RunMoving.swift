import Aerie
import Glibc
import Testing

/// Runs a machine with a load that goes on until it is told to end; before that, saves it to a file, kills it and restores it.
///
/// - Parameters:
///   - path: of the file.
///   - count: how often.
///   - wait: lets the guest work until the next move.
/// - Returns: what the guest printed on all its consoles.
func runMoving(
    _ configuration: Configuration, through path: String, count: Int, wait: (_ moves: Int) -> Void
) throws -> String {
    let configurations = Array(repeating: configuration, count: count + 1)
    return try runMoving(configurations, through: path, wait: { moves, _ in wait(moves) }) { machine, console in
        console.tellToEnd()
        #expect(machine.wait() == .poweredOff)
    }
}

/// Runs a machine with the first configuration, and saves, kills and restores it with each of the others.
///
/// - Parameters:
///   - wait: lets the guest work until the next move.
///   - end: ends the last machine.
/// - Returns: what the guest printed on all its consoles.
func runMoving(
    _ configurations: [Configuration], through path: String, wait: (_ moves: Int, RecordingConsole) throws -> Void,
    end: (VirtualMachine, RecordingConsole) throws -> Void
) throws -> String {
    var printed = ""
    var console = RecordingConsole()
    var machine = try VirtualMachine(configurations[0], console: console)
    try machine.start()
    for (moves, configuration) in configurations.dropFirst().enumerated() {
        try wait(moves, console)
        try machine.pause()
        try machine.save(to: path)
        machine.kill()
        #expect(machine.wait() == .stopped)
        printed += console.text
        console = RecordingConsole()
        machine = try VirtualMachine(configuration, console: console)
        try machine.start(restoring: path)
    }
    try end(machine, console)
    return printed + console.text
}
