internal import Aerie
internal import ArgumentParser
internal import Compose
internal import ControlAPI
internal import HostSystem
internal import Runtime

struct DownCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "down",
        abstract: "Stop and remove the machines of a project, with their disks.",
        discussion: """
            Machines end in the reverse order of their start. With --project and without --file, no file is read: all machines of the project \
            are removed.

            Examples:
              aerie down
              aerie down --project lab
            """)

    @OptionGroup var options: ProjectOptions
    @OptionGroup var time: StopTime

    @Flag(help: "Remove machines of services that the file no longer has, too.")
    var removeOrphans = false

    @OptionGroup var verbosity: VerbosityOptions

    func run() throws {
        let seconds = try time.seconds()
        let state = try userMachines()
        var code: Int32 = 0
        let (lock, machines) = try selection(state)
        for machine in machines {
            do {
                try ProjectMachines.remove(machine, in: state, seconds: seconds)
                print("\(machine.record.name) removed")
            } catch {
                // The others shall go all the same.
                let failure = Failure(error)
                if code == 0 { code = failure.code }
                StandardError.write("aerie: \(failure.message)\n")
            }
        }
        withExtendedLifetime(lock) {}
        if code != 0 { throw ExitCode(code) }
    }

    /// The machines to remove, in order, and the lock of their project.
    private func selection(_ state: StateDirectory) throws(AerieError) -> (MachineLock, [Machine]) {
        if let name = options.project, options.file == nil {
            guard ComposeReader.isProjectName(name) else {
                throw AerieError(
                    .usage, asked: "--project \(name)", found: "it is not a valid name for a project",
                    advice: "use small letters, digits, '-' and '_', with a letter or a digit first")
            }
            let lock = try ProjectMachines.lock(name, in: state)
            return (lock, ProjectMachines(name, in: state).all.reversed())
        }
        let file = try ProjectFile(options.file)
        let project = try file.read(name: options.project)
        let lock = try ProjectMachines.lock(project.name, in: state)
        let machines = ProjectMachines(project.name, in: state)
        try machines.checkDirectory(file.directory)
        let orphans = machines.orphans(project.services)
        if !removeOrphans {
            for machine in orphans {
                StandardError.write(
                    "aerie: machine '\(machine.record.name)': the file has no service for it; 'aerie down "
                        + "--remove-orphans' removes it\n")
            }
        }
        let ordered = project.services.reversed().compactMap { machines.machine(of: $0.name) }
        return (lock, (removeOrphans ? orphans : []) + ordered)
    }
}
