// The process of one machine. It starts often and stays for long, so it has no Foundation and no argument parser; `aerie run`
// is for what a person types.

internal import Aerie
internal import ControlAPI
internal import Glibc
internal import HostSystem
internal import MachineSession
internal import Runtime

ProcessStart.prepare()
ProcessStart.useOneHeap()
// Beyond the limit on the size of files, a write fails; the signal that comes with it would end this program.
SignalWatch.discard(SIGXFSZ)
exit(Program.run())

enum Program {
    /// Returns the code to exit with.
    static func run() -> Int32 {
        do throws(AerieError) {
            let code = try runMachine()
            do throws(SystemError) { try ProcessStart.flushStandardOutput() } catch { throw AerieError(output: error) }
            return code
        } catch {
            return fail(error)
        }
    }

    /// - Parameter program: the one that the user has started.
    private static func fail(_ error: AerieError, program: String = "aerie-vm") -> Int32 {
        StandardError.write("\(program): \(error)\n")
        return error.exitCode
    }

    private static func runMachine() throws(AerieError) -> Int32 {
        try AerieError.checkArguments()
        switch try VMArguments(CommandLine.arguments.dropFirst()) {
        case .help:
            print(VMArguments.helpText)
            return 0
        case .keep(let directory, let keeping): return keep(directory, keeping)
        case .run(let settings):
            let configuration = try settings.configuration()
            try configuration.validate()
            return try JailedMachine(configuration: configuration, settings: settings).run { fail($0) }
        }
    }

    // MARK: A machine that is kept

    /// Whoever starts a machine in the background waits at this descriptor for the guest's start.
    private static let readyDescriptor: Int32 = 3

    private static func keep(_ directory: String, _ keeping: VMArguments.Keeping) -> Int32 {
        // Whoever waits for the start may be gone.
        SignalWatch.discard(SIGPIPE)
        let commandIsLater = keeping == .attendedForCommand || keeping == .attendedForImage
        let isAttended = keeping == .attended || commandIsLater
        let ready = keeping == .foreground ? nil : readyDescriptor
        let given: GivenMemory? =
            switch keeping {
            case .arriving: .arrival(.inherited)
            case .forked: .fork(.inherited())
            case .background, .attended, .attendedForCommand, .attendedForImage, .foreground: nil
            }
        do throws(AerieError) {
            let monitor = try MachineMonitor(
                try Machine(directory: directory), isForeground: keeping == .foreground, ready: ready,
                isAttended: isAttended, commandIsLater: commandIsLater,
                isForOthers: keeping == .attendedForImage, given: given)
            return monitor.run { charge in
                do throws(AerieError) {
                    return try runKept(charge)
                } catch {
                    return isAttended ? error.exitCode : fail(error, program: "aerie")
                }
            }
        } catch {
            if let ready {
                ControlAnswer.failure(error).line(0).withUnsafeBytes { _ = write(ready, $0.baseAddress, $0.count) }
            }
            return fail(error, program: "aerie")
        }
    }

    private static func runKept(_ charge: MachineMonitor.Charge) throws(AerieError) -> Int32 {
        let record = charge.machine.record
        do throws(AerieError) {
            let log = try SessionLog(
                program: "aerie", level: record.logLevel.flatMap { LogLevel(rawValue: $0) } ?? SessionLog.defaultLevel,
                path: record.logFile)
            defer { log.close() }
            let lock = JailDoor(inside: charge.inside, settings: charge.jail, isRequired: record.requiresJail ?? false)
            return try GuestSession(
                charge.configuration, stopTimeout: record.stopTimeout, log: log, charge: charge, services: lock.services
            ) { () throws(AerieError) in
                // The socket in it is open, and a directory must not be.
                close(charge.directory)
                try lock.close(log)
            }.run()
        } catch {
            // A failure before the session could report it. A second report changes nothing.
            charge.link.reportEnd(code: error.exitCode, error: error, kind: nil, isWanted: false)
            throw error
        }
    }
}
