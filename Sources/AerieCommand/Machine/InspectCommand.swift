internal import AerieMachines
internal import ArgumentParser
internal import ControlAPI
internal import Runtime

struct InspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        abstract: "Print the records, states and addresses of machines, as JSON.",
        discussion: """
            "addresses" has the addresses of the guest's network interfaces, which the guest's agent reports; null if the \
            machine is not running, or its agent does not answer within two seconds.

            Example:
              aerie inspect build
            """)

    @Argument(help: ArgumentHelp("Names or IDs of machines; the beginning of an ID is enough.", valueName: "machine"))
    var names: [String]

    @OptionGroup var verbosity: VerbosityOptions

    func run() throws {
        let directory = try userMachines()
        let machines = try names.map { try directory.find($0) }
        let values = try zip(machines, GuestAddresses.read(machines)).map { machine, addresses in
            JSONValue.object([
                "record": try JSONValue(encoding: machine.record), "status": try JSONValue(encoding: machine.status),
                "directory": .string(machine.directory),
                "addresses": try addresses.map(JSONValue.init(encoding:)) ?? .null,
            ])
        }
        print(try JSONValue.array(values).indentedText())
    }
}
