internal import Aerie
internal import ArgumentParser
internal import ControlAPI
internal import HostSystem
internal import Logging
internal import MachineSession
internal import Runtime

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
              aerie run --detach --name web --publish 8080:80 debian

            Options of aerie stand before IMAGE, or between IMAGE and COMMAND. All words from COMMAND on are the guest's. A \
            '--' before COMMAND is allowed. Of an option that is given twice, the last one counts, unless it is repeatable.

            A COMMAND has this program's standard streams, and a terminal if both input and output are one. Nothing else is written to \
            standard output.

            A guest on this terminal is removed when it ends, unless it has a --name. With --detach it runs in the background, and \
            'aerie ps', 'logs', 'attach', 'stop', 'start' and 'rm' manage it.

            Ctrl-] three times in a second leaves the guest's console and ends the guest. Standard input that is no \
            terminal is typed at the guest's prompts, with an end-of-transmission character after the last byte.

            Exit codes: 0 when the guest powers off, its own code when it reports a failure, 64 for wrong usage, 65 for \
            a bad input file, 69 when this host cannot do it, 70 for a crash or a dead guest, 74 when the guest's output could \
            not be delivered, 125 when the guest could not be started, 137 when it was killed because it did not power \
            off in time after a signal, or by a second signal.
            """)

    @OptionGroup var options: RunOptions
    @OptionGroup var machine: MachineOptions

    @Flag(name: [.short, .long], help: "Run in the background and print the machine's ID.")
    var detach = false

    @OptionGroup var command: GuestCommandOptions
    @OptionGroup var verbosity: VerbosityOptions

    func run() async throws {
        let settings = try options.completeSettings()
        let log = try SessionLog(
            program: "aerie", level: settings.logLevel ?? SessionLog.defaultLevel, path: settings.logFile)
        try log.start()
        SessionLogHandler.install(log)
        defer { log.close() }
        // A guest on this terminal goes with its end, unless it has a name.
        let isTemporary = machine.removesAtEnd || !detach && machine.name == nil && machine.restart == nil
        let request = detach ? nil : try command.request(settings.command ?? [])
        if request == nil { try command.checkUnused(isDetached: detach) }
        var making = MachineMaking(settings: settings, identity: try machine.identity(), isTemporary: isTemporary)
        making.arguments = Array(CommandLine.arguments.dropFirst())
        making.commandIsLater = settings.image != nil && request != nil
        let made = try await making.run()
        if let request, made.machine.record.hasAgent {
            log.close()
            let code = try GuestCommandRun(made: made, request: request).run()
            if code != 0 { throw ExitCode(code) }
            return
        }
        debug(made.machine.record.configuration)
        let program = try MachineProgram()
        if detach {
            do {
                try program.start(made.machine, lease: made.lease)
            } catch {
                if isTemporary { try? StateDirectory(of: made.machine).remove(made.machine) }
                throw error
            }
            return print(made.machine.record.id)
        }
        log.close()
        try program.become(made.machine, lease: made.lease)
    }

    private func debug(_ configuration: Configuration) {
        Logger(label: "run").debug(
            "starting a guest",
            metadata: [
                "arch": "\(configuration.architecture.rawValue)", "engine": "\(configuration.engine.rawValue)",
                "cpus": "\(configuration.cpus)", "memory": "\(configuration.memory)",
                "kernel": "\(configuration.kernel ?? "none")", "firmware": "\(configuration.firmware ?? "none")",
            ])
    }
}
