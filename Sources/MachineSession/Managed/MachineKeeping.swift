internal import Aerie
internal import ControlAPI
internal import HostSystem
internal import Runtime

/// What a guest's session has to do because the machine is kept: reports to the monitor, a log of the console, and the control socket.
final class MachineKeeping: Sendable {
    let charge: MachineMonitor.Charge
    let hub: ConsoleHub
    private let log: ConsoleLog?

    /// Opens the files; nothing runs yet.
    ///
    /// - Parameter first: the console of the program that started the machine; nil for a machine in the background.
    init(_ charge: MachineMonitor.Charge, first: TerminalChannel?) throws(AerieError) {
        self.charge = charge
        let keepsLog = !(charge.isForeground && charge.machine.record.removesAtEnd)
        do throws(SystemError) {
            log = keepsLog ? try ConsoleLog(path: charge.machine.file(Machine.consoleLogName)) : nil
        } catch { throw AerieError(opening: "the console's log", error) }
        hub = ConsoleHub(first: first, log: log)
    }

    func start() throws(SystemError) { try log?.start() }

    func finish() {
        hub.end()
        log?.close()
    }
}
