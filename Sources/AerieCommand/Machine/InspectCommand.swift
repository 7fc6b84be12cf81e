internal import ArgumentParser
internal import ControlAPI
internal import Runtime

struct InspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        abstract: "Print everything that is known of machines, as JSON.",
        discussion: """
            Example:
              aerie inspect build
            """)

    @Argument(help: ArgumentHelp("Names or IDs of machines; the beginning of an ID is enough.", valueName: "machine"))
    var names: [String]

    @OptionGroup var verbosity: VerbosityOptions

    func run() throws {
        let directory = try userMachines()
        let values = try names.map { name in
            let machine = try directory.find(name)
            return JSONValue.object([
                "record": try JSONValue(encoding: machine.record), "status": try JSONValue(encoding: machine.status),
                "directory": .string(machine.directory),
            ])
        }
        print(try JSONValue.array(values).indentedText())
    }
}
