internal import Aerie
internal import AerieMachines
internal import ArgumentParser
internal import ControlAPI
internal import HostSystem
internal import Runtime

struct MigrateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate",
        abstract: "Move a running machine to another host, or to another user or directory of this one.",
        discussion: """
            The guest runs on while its memory and its disk are sent, stands still for a moment, and goes on where 'aerie receive' waits. The \
            machine is removed here then. A transfer that fails leaves it running here.

            DESTINATION is ssh:HOST, which starts 'aerie receive -' there, or unix:PATH or 127.0.0.1:PORT of an 'aerie receive' on this host.

            Example:
              aerie migrate build ssh:admin@second.example
            """)

    @OptionGroup var machine: OneMachine
    @Argument(help: ArgumentHelp("Where it goes.", valueName: "destination"))
    var destination: String
    @OptionGroup var verbosity: VerbosityOptions

    func run() throws {
        let machine = try machine.find()
        try machine.requireRunning(for: "migrating")
        let connection = try MigrationConnection.open(try MigrationAddress(destination))
        let name = try MigrationSender(machine, input: connection.input, output: connection.output).send()
        // It runs there. What is left here is of no use to anybody.
        try MachineEnding.kill(machine)
        if !machine.isGone { try userMachines().remove(machine) }
        connection.close()
        print(name)
    }
}
