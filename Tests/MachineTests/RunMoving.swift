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
    var printed = ""
    var console = RecordingConsole()
    var machine = try VirtualMachine(configuration, console: console)
    try machine.start()
    for moves in 0..<count {
        wait(moves)
        try machine.pause()
        try machine.save(to: path)
        machine.kill()
        #expect(machine.wait() == .stopped)
        printed += console.text
        console = RecordingConsole()
        machine = try VirtualMachine(configuration, console: console)
        try machine.start(restoring: path)
    }
    console.tellToEnd()
    #expect(machine.wait() == .poweredOff)
    return printed + console.text
}
