internal import Aerie
internal import ArgumentParser
internal import Compose
internal import ControlAPI
internal import Foundation
internal import HostSystem
internal import Runtime

struct UpCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "up",
        abstract: "Make and start the machines of a project's file.",
        discussion: """
            The file has services in the style of compose; docs/compose.md lists the fields. Each service is a machine in the background, \
            named PROJECT-SERVICE. Services start in the order of their dependencies. A service that runs and has not changed is left alone; \
            one that has changed is stopped, removed with its disk, and made anew. With SERVICE, only these services and those on which \
            they depend are started. Services of a network reach each other by their names.

            Examples:
              aerie up
              aerie up --file lab.yaml --project lab web
            """)

    @OptionGroup var options: ProjectOptions

    @Flag(name: [.short, .long], help: "Run in the background, which 'up' always does.")
    var detach = false

    @Flag(help: "Make all machines anew, with new disks.")
    var forceRecreate = false

    @Flag(help: "Stop and remove machines of services that the file no longer has.")
    var removeOrphans = false

    @Argument(help: ArgumentHelp("Services to start (default: all).", valueName: "service"))
    var services: [String] = []

    @OptionGroup var verbosity: VerbosityOptions

    func run() async throws {
        let file = try ProjectFile(options.file)
        let project = try file.read(name: options.project)
        let selected: [ComposeService]
        do throws(ComposeError) {
            selected = try project.selection(services, file: file.shown)
        } catch { throw AerieError(project: error) }
        let state = try userMachines()
        let lock = try ProjectMachines.lock(project.name, in: state)
        let machines = ProjectMachines(project.name, in: state)
        try machines.checkDirectory(file.directory)
        // Paths in the file begin where the file is.
        guard FileManager.default.changeCurrentDirectoryPath(file.directory) else {
            throw AerieError(
                .badInput, asked: "the directory \(file.directory)", found: "it cannot be entered",
                advice: "check its permissions")
        }
        for machine in machines.orphans(project.services) {
            let name = machine.record.name
            guard removeOrphans else {
                StandardError.write(
                    "aerie: machine '\(name)': the file has no service for it; 'aerie up --remove-orphans' removes it\n"
                )
                continue
            }
            try ProjectMachines.remove(machine, in: state)
            print("\(name) removed")
        }
        let start = ProjectStart(
            project: project, projectDirectory: file.directory, state: state, makesAnew: forceRecreate)
        try await start.run(selected)
        withExtendedLifetime(lock) {}
    }
}
