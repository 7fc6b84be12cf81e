import Aerie
import Glibc
import Testing

/// Runs a machine to its end, and on the way saves it to a file, kills it and restores it, at most `limit` times.
///
/// - Parameters:
///   - path: of the file.
///   - wait: lets the guest work until the next move.
/// - Returns: what the guest printed on all its consoles.
func runMoving(
    _ configuration: Configuration, through path: String, limit: Int, wait: (_ moves: Int) -> Void
) throws -> String {
    var printed = ""
    var console = RecordingConsole()
    var machine = try VirtualMachine(configuration, console: console)
    try machine.start()
    var moves = 0
    while moves < limit {
        wait(moves)
        do {
            try machine.pause()
        } catch {
            // It has ended.
            break
        }
        try machine.save(to: path)
        machine.kill()
        #expect(machine.wait() == .stopped)
        printed += console.text
        console = RecordingConsole()
        machine = try VirtualMachine(configuration, console: console)
        try machine.start(restoring: path)
        moves += 1
    }
    #expect(moves > 0)
    #expect(machine.wait() == .poweredOff)
    return printed + console.text
}
