import Aerie
import Synchronization

// The articles of Sources/Aerie/Aerie.docc quote this file; DocumentationTests compares them.

/// A console that plays back fixed input and keeps the guest's last output.
final class TranscriptConsole: ConsoleChannel {
    private struct State {
        var input: [UInt8]
        var output: [UInt8] = []
    }

    /// The guest controls the amount of output, so it must be limited.
    private let outputLimit = 1 << 20
    private let state: Mutex<State>

    init(input: String = "") {
        state = Mutex(State(input: Array(input.utf8)))
    }

    var output: String { state.withLock { String(decoding: $0.output, as: UTF8.self) } }

    func read(limit: Int) -> [UInt8] {
        state.withLock { state in
            let taken = Array(state.input.prefix(limit))
            state.input.removeFirst(taken.count)
            return taken
        }
    }

    func write(_ bytes: [UInt8]) -> Int {
        state.withLock { state in
            state.output += bytes
            state.output.removeFirst(max(0, state.output.count - outputLimit))
        }
        return bytes.count
    }

    // All input exists from the start, and there is always room for output: the handler is never needed.
    func setHandler(_ handler: (@Sendable () -> Void)?) {}

    var windowSize: (columns: UInt16, rows: UInt16)? { nil }
}

/// Boots a Linux kernel and waits for the end of the machine.
func runFirstGuest(
    kernel: String, initrd: String? = nil
) throws(AerieError) -> (outcome: VirtualMachine.Outcome, output: String) {
    var configuration = Configuration()
    configuration.kernel = kernel
    configuration.initrd = initrd
    configuration.commandLine = "console=ttyS0 panic=-1"
    configuration.restartsOnReset = false
    configuration.cpus = 2
    configuration.memory = .mebibytes(256)

    let console = TranscriptConsole()
    let machine = try VirtualMachine(configuration, console: console)
    try machine.start()
    return (machine.wait(), console.output)
}

/// Saves a running machine to a file and ends it.
func suspend(_ machine: VirtualMachine, to path: String) throws(AerieError) {
    try machine.pause()
    try machine.save(to: path)
    machine.kill()
    _ = machine.wait()
}

/// Continues a saved machine in a new one.
func restore(
    _ configuration: Configuration, from path: String, console: any ConsoleChannel
) throws(AerieError) -> VirtualMachine {
    let machine = try VirtualMachine(configuration, console: console)
    try machine.start(restoring: path)
    return machine
}
