internal import Aerie
internal import AerieMachines
internal import ControlAPI
internal import Glibc
internal import HostSystem
internal import MachineSession
internal import Runtime

/// A machine on this program's terminal that ends with this program, where this program has more to do than to be the machine's console:
/// give the guest a new identity first, let it go on without the terminal, or make a snapshot at the end.
final class AttendedRun: Sendable {
    private static let signals = [SIGTERM, SIGINT, SIGHUP]
    /// Nanoseconds for the answer about the end of a machine whose console has ended.
    private static let endLimit: UInt64 = 5_000_000_000

    private let machine: Machine
    private let snapshot: ExitSnapshot?
    /// How often somebody asked for the end.
    private let requests = Monitor(0)

    init(_ machine: Machine, snapshot: ExitSnapshot?) {
        self.machine = machine
        self.snapshot = snapshot
    }

    /// - Parameters:
    ///   - isTemporary: whether the machine is removed at the end.
    ///   - start: starts the machine, attended.
    ///   - prepare: called with the machine that has started, before the console is connected.
    ///   - begin: called when the console is connected: what it has written before is left out; nil to begin with that.
    /// - Returns: the exit code.
    func run(
        isTemporary: Bool, start: () throws -> MachineStarter.Attendance,
        prepare: (Machine) throws -> Void = { _ in }, begin: ((Machine) throws -> Void)? = nil
    ) throws -> Int32 {
        let attendance: MachineStarter.Attendance
        do {
            attendance = try start()
        } catch {
            if isTemporary { try? StateDirectory(of: machine).remove(machine) }
            throw error
        }
        let ending = try MachineEndWait(machine)
        let signals = try watchSignals()
        defer { signals.cancel() }
        try prepare(machine)
        let console = try ConsoleAttachment(machine, withRecent: begin == nil, holdsGuest: true)
        try begin?(machine)
        let end = try console.attend(
            hint: "Ctrl-] three times leaves the guest; Ctrl-P Ctrl-Q detaches, and it goes on", endsInput: true)
        var code: Int32 = 0
        if end == .detached {
            try machine.release()
            console.noteDetached()
            return 0
        } else if end == .left {
            try leave()
        } else if let result = ending.result(within: Self.endLimit) {
            code = result.code
            if let error = result.error, requests.withLock({ $0 }) == 0 { throw error }
        }
        try machine.waitForEnd()
        // A machine whose snapshot cannot be made is kept.
        try snapshot?.makeUnlessMade(of: machine)
        if isTemporary, !machine.isGone { try StateDirectory(of: machine).remove(machine) }
        withExtendedLifetime(attendance) {}
        return code
    }

    private func leave() throws {
        try snapshot?.makeUnlessMade(of: machine)
        try MachineEnding.kill(machine)
    }

    private func watchSignals() throws(AerieError) -> SignalSource {
        do throws(SystemError) {
            let loop = try EventLoop(name: "signals")
            try loop.start()
            let watch = try SignalWatch(Self.signals, on: loop) { [self] _ in
                let count = requests.update { count in
                    count += 1
                    return count
                }
                // The loop goes on, so that a second signal ends what takes too long.
                _ = try? HostThread(name: "machine-end") { [self] in end(isFirst: count == 1) }
            }
            return SignalSource(loop: loop, watch: watch)
        } catch { throw AerieError(opening: "signals", error) }
    }

    private func end(isFirst: Bool) {
        do {
            guard isFirst else { return try MachineEnding.kill(machine) }
            guard snapshot != nil else { return try MachineEnding.stop(machine, seconds: nil) }
            try leave()
        } catch { StandardError.write("aerie: \(Failure(error).message)\n") }
    }

    private struct SignalSource {
        let loop: EventLoop
        let watch: SignalWatch

        func cancel() {
            watch.cancel()
            loop.stop()
        }
    }
}
