// The process of one machine. It starts often and stays for long, so it has no Foundation and no argument parser; `aerie run`
// is for what a person types.

internal import Aerie
internal import Glibc
internal import HostSystem
internal import MachineSession

ProcessStart.prepare()
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
        } catch { return report(error) }
    }

    /// - Returns: the code to exit with.
    private static func report(_ error: AerieError) -> Int32 {
        StandardError.write("aerie-vm: \(error)\n")
        return error.exitCode
    }

    private static func runMachine() throws(AerieError) -> Int32 {
        try AerieError.checkArguments()
        switch try VMArguments(CommandLine.arguments.dropFirst()) {
        case .help:
            print(VMArguments.helpText)
            return 0
        case .run(let settings):
            let configuration = try settings.configuration()
            try configuration.validate()
            let log = try SessionLog(
                program: "aerie-vm", level: settings.logLevel ?? SessionLog.defaultLevel, path: settings.logFile)
            return try JailedMachine(configuration: configuration, settings: settings, log: log).run(report)
        }
    }
}
