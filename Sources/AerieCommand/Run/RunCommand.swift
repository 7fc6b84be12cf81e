internal import Aerie
internal import ArgumentParser
internal import HostSystem
internal import Logging
internal import MachineSession

struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Boot a guest and attach this terminal.",
        usage: "aerie run [<options>] [<image> [<command> ...]]",
        discussion: """
            Examples:
              aerie run debian
              aerie run --kernel Image --initrd initrd.img --append console=ttyS0
              aerie run debian apt-get --version
              aerie run --cpus 4 --memory 1G debian sh -c 'nproc; free -m'
              aerie run --publish 8080:80 debian
              aerie run --share .:/work debian ls -l /work
              echo 'uname -m' | aerie run debian
              aerie run --overlay work.qcow2 debian

            Options of aerie stand before IMAGE, or between IMAGE and COMMAND. All words from COMMAND on are the guest's. A \
            '--' before COMMAND is allowed. Of an option that is given twice, the last one counts, unless it is repeatable.

            Ctrl-] three times in a second leaves the guest's console and ends the guest. Standard input that is no \
            terminal is typed at the guest's prompts, with an end-of-transmission character after the last byte.

            Exit codes: 0 when the guest powers off, its own code when it reports a failure, 64 for wrong usage, 65 for \
            a bad input file, 69 when this host cannot do it, 70 for a crash or a dead guest, 74 when the guest's output could \
            not be delivered, 125 when the guest could not be started, 137 when it was killed because it did not power \
            off in time after a signal, or by a second signal.
            """)

    @OptionGroup var options: RunOptions
    @OptionGroup var verbosity: VerbosityOptions

    func run() async throws {
        var settings = try options.settings()
        if let path = options.config { settings = settings.over(try SettingsFile.read(path)) }
        let log = try SessionLog(
            program: "aerie", level: settings.logLevel ?? SessionLog.defaultLevel, path: settings.logFile)
        SessionLogHandler.install(log)
        try log.start()
        defer { log.close() }
        var configuration = try settings.configuration()
        if let image = settings.image {
            if settings.lacksNetwork {
                StandardError.write(
                    "aerie: network: passt is not installed, so the guest has no network; apt-get install passt, or use "
                        + "--network none\n")
            }
            let boot = try await ImageBoot.find(image, architecture: settings.architecture)
            try boot.complete(&configuration, command: settings.command ?? [], settings)
            return try withExtendedLifetime(boot) { try run(configuration, settings, log) }
        }
        if settings.command != nil {
            throw AerieError(
                .usage, asked: "a command for the guest", found: "no image is named", advice: "name one, such as debian"
            )
        }
        try run(configuration, settings, log)
    }

    private func run(_ configuration: Configuration, _ settings: RunSettings, _ log: SessionLog) throws {
        try configuration.validate()
        Logger(label: "run").debug(
            "starting a guest",
            metadata: [
                "arch": "\(configuration.architecture.rawValue)", "engine": "\(configuration.engine.rawValue)",
                "cpus": "\(configuration.cpus)", "memory": "\(configuration.memory)",
                "kernel": "\(configuration.kernel ?? "none")", "firmware": "\(configuration.firmware ?? "none")",
            ])
        let timeout = settings.stopTimeout ?? GuestSession.defaultStopTimeout
        let code = try GuestSession(configuration, stopTimeout: timeout, log: log).run()
        if code != 0 { throw ExitCode(code) }
    }
}
