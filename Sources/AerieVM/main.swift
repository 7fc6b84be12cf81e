// The process of one machine. It starts often and stays for long, so it has no Foundation and no argument parser; what a
// person types is `aerie run`'s business.

internal import Aerie
internal import Glibc
internal import HostSystem
internal import MachineSession

// Beyond the limit on the size of files, a write fails; the signal that comes with it would end this program.
SignalWatch.discard(SIGXFSZ)

do throws(AerieError) {
    try AerieError.checkArguments()
    switch try VMArguments(CommandLine.arguments.dropFirst()) {
    case .help: print(VMArguments.helpText)
    case .run(let settings):
        let configuration = try settings.configuration()
        try configuration.validate()
        let timeout = settings.stopTimeout ?? GuestSession.defaultStopTimeout
        exit(try GuestSession(configuration, stopTimeout: timeout).run())
    }
} catch {
    StandardError.write("aerie-vm: \(error)\n")
    exit(error.exitCode)
}
