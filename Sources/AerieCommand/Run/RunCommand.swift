internal import Aerie
internal import AerieMachines
internal import AgentClient
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
              aerie run --snapshot-on-exit=tools debian apt-get install -y git
              aerie run --from tools

            Options of aerie stand before IMAGE, or between IMAGE and COMMAND. All words from COMMAND on are the guest's. A \
            '--' before COMMAND is allowed. Of an option that is given twice, the last one counts, unless it is repeatable.

            A COMMAND has this program's standard streams, and a terminal if both input and output are one. Nothing else is written to \
            standard output. A terminal is the guest's console: Ctrl-P Ctrl-Q leaves COMMAND running, 'aerie attach' comes back to it, and the \
            guest ends with it.

            The first COMMAND in an image saves the guest as it is before the command. Later ones go on from there instead of booting, \
            each in a new guest, where the image, the settings of the machine and this program are the same.

            With --detach, COMMAND runs at the guest's console: 'aerie logs' has its output, and its exit code is the machine's. 'aerie start' \
            runs the COMMAND of a machine again.

            A guest on this terminal is removed when it ends, unless it has a --name. With --detach it runs in the background, and \
            'aerie ps', 'logs', 'attach', 'stop', 'start' and 'rm' manage it.

            --from goes on from a snapshot of a machine ('aerie snapshot'), with its settings, and connects this terminal with the \
            console. --snapshot-on-exit makes a snapshot when this program ends the guest (Ctrl-], SIGTERM, the end of COMMAND): of the \
            guest as it runs; of one that powers off, of its disk.

            Ctrl-] three times in a second leaves the guest's console and ends the guest. Ctrl-P Ctrl-Q leaves the console of an image's guest, \
            which goes on in the background, with its shell or its COMMAND. Standard input that is not a \
            terminal is typed at the guest's prompts, with an end-of-transmission character after the last byte.

            Exit codes: 0 when the guest powers off, its own code when it reports a failure, 64 for wrong usage, 65 for \
            a bad input file, 69 when this host cannot do it, 70 for a crash or a dead guest, 74 when the guest's output could \
            not be delivered, 125 when the guest could not be started, 137 when it was killed because it did not power \
            off in time after a signal, or by a second signal.
            """,
        helpNames: .long)

    @OptionGroup var options: RunOptions
    @OptionGroup var machine: MachineOptions

    @Flag(name: [.short, .long], help: "Run in the background and print the machine's ID.")
    var detach = false

    @OptionGroup var command: GuestCommandOptions
    @OptionGroup var verbosity: VerbosityOptions

    @OptionGroup var snapshots: RunSnapshotOptions

    func run() async throws {
        var settings = try options.completeSettings()
        let exit = try snapshots.exitSnapshot(isDetached: detach)
        if let from = snapshots.from {
            return try runSnapshot(from, settings, exit)
        }
        try machine.complete(&settings)
        let log = try SessionLog(
            program: "aerie", level: settings.logLevel ?? SessionLog.defaultLevel, path: settings.logFile)
        try log.start()
        SessionLogHandler.install(log)
        defer { log.close() }
        // A guest on this terminal goes with its end, unless it has a name.
        let isTemporary = machine.removesAtEnd || !detach && machine.name == nil && machine.restart == nil
        let request = detach ? nil : try command.request(settings.command ?? [])
        let commandSettings = try commandSettings(&settings, isLater: request != nil, isTemporary: isTemporary)
        // Before the guest boots, which takes seconds.
        let sshAgent = try command.sshAgent()
        var making = MachineMaking(settings: settings, identity: try machine.identity(), isTemporary: isTemporary)
        making.keepsTemporaryDisk = exit != nil
        making.arguments = Array(CommandLine.arguments.dropFirst())
        making.commandIsLater = settings.image != nil && request != nil
        making.commandSettings = commandSettings
        if making.commandIsLater, isTemporary, exit == nil, !snapshots.noSnapshot {
            making.instant = try InstantStart()
        }
        let made = try await making.run()
        if let request, made.machine.record.hasAgent {
            log.close()
            return try await runCommand(request, sshAgent, in: made, making, exit)
        }
        debug(made.machine.record.configuration)
        if exit != nil || !detach && settings.image != nil && Terminal.areStandardStreams {
            log.close()
            return try Self.end(
                AttendedRun(made.machine, snapshot: exit).run(isTemporary: isTemporary) {
                    MachineStarter.Attendance(
                        try MachineProgram().startAttended(made.machine, lease: made.lease))
                })
        }
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

    /// What the command at the guest's console runs with, now or at a later start; nil where the guest's agent does not start it.
    private func commandSettings(
        _ settings: inout RunSettings, isLater: Bool, isTemporary: Bool
    ) throws -> CommandSettings? {
        if detach { return try command.consoleSettings(&settings) }
        guard settings.image != nil, isLater, !isTemporary else {
            if !isLater { try command.checkUnused(isDetached: false) }
            return nil
        }
        return settings.bootsImage ? try command.commandSettings(&settings.command) : nil
    }

    private func runCommand(
        _ request: CommandRequest, _ sshAgent: SSHAgentForwarding?, in made: MachineMaking.Made,
        _ making: MachineMaking, _ exit: ExitSnapshot?
    ) async throws {
        var code: Int32
        do {
            code = try GuestCommandRun(
                made: made, request: request, sshAgent: sshAgent, instant: making.instant, snapshot: exit
            ).run()
        } catch is InstantStart.Failure {
            var making = making
            making.instant = nil
            code = try GuestCommandRun(made: try await making.run(), request: request, sshAgent: sshAgent).run()
        }
        try Self.end(code)
    }

    private static func end(_ code: Int32) throws {
        if code != 0 { throw ExitCode(code) }
    }

    /// A machine that goes on from a snapshot of a machine.
    private func runSnapshot(_ name: String, _ settings: RunSettings, _ exit: ExitSnapshot?) throws {
        guard settings == RunSettings(), machine.hostname == nil else {
            throw AerieError(
                .usage, asked: "--from \(name)", found: "an image, or settings of a machine, are given, too",
                advice: "leave them out; the snapshot has its own")
        }
        try command.checkUnused(isDetached: detach)
        let snapshot = try userSnapshots().find(name)
        let isTemporary = machine.removesAtEnd || !detach && machine.name == nil && machine.restart == nil
        let starter = try MachineStarting.starter
        var restoring = SnapshotRestoring(snapshot: snapshot, directory: try userMachines(), starter: starter)
        let identity = try machine.identity()
        restoring.adjust = { identity.apply(to: &$0) }
        restoring.isTemporary = isTemporary && exit == nil
        if detach {
            _ = try restoring.start(name: machine.name) { print($0.record.id) }
            return
        }
        let made = try restoring.make(name: machine.name)
        try Self.end(
            AttendedRun(made, snapshot: exit).run(
                isTemporary: isTemporary, start: { try starter.startAttended(made) },
                prepare: { if snapshot.record.hasState { try MachineIdentityRenewal().run($0) } }))
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
