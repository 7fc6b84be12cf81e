internal import Aerie
internal import AerieMachines
internal import ArgumentParser
internal import ControlAPI
internal import Foundation
internal import Runtime

struct InspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        abstract: "Print the records, states and addresses of machines, as JSON.",
        discussion: """
            "addresses" has the addresses of the guest's network interfaces, which the guest's agent reports; null if the \
            machine is not running, or its agent does not answer within two seconds. "changes" has what 'aerie set' has changed since the \
            start. "created", "started" and "finished" are times of ISO 8601; those in "record" and "status" are nanoseconds since 1970.

            Examples:
              aerie inspect build
              aerie inspect --filter label=aerie.project=shop
            """)

    /// The only form; podman's users type it.
    private enum Form: String, CaseIterable, ExpressibleByArgument { case json }

    @Argument(help: ArgumentHelp("Names or IDs of machines; the beginning of an ID is enough.", valueName: "machine"))
    var names: [String] = []

    @Option(
        help: ArgumentHelp(
            "Print the machines for which KEY=VALUE holds, as of 'aerie ps --filter'. Repeatable.",
            valueName: "condition"))
    var filter: [String] = []

    @Option(help: "Print json for programs, which is the default and the only form.")
    private var format = Form.json

    @OptionGroup var verbosity: VerbosityOptions

    func run() throws {
        let directory = try userMachines()
        let filters = try filter.map { try MachineFilter($0) }
        guard !names.isEmpty || !filters.isEmpty else {
            throw AerieError(
                .usage, asked: "inspect", found: "no machine is named", advice: "name one, or give --filter KEY=VALUE")
        }
        if names.isEmpty { try directory.requireReadable() }
        let machines = try (names.isEmpty ? directory.machines() : names.map { try directory.find($0) })
            .filter { filters.isEmpty || MachineFilter.all(filters, hold: MachineListing($0)) }
        let values = try zip(machines, GuestAddresses.read(machines)).map { machine, addresses in
            let status = machine.status
            return JSONValue.object([
                "record": try JSONValue(encoding: machine.record), "status": try JSONValue(encoding: status),
                "directory": .string(machine.directory),
                "addresses": try addresses.map(JSONValue.init(encoding:)) ?? .null,
                "changes": machine.changes ?? .object([:]), "created": Self.time(machine.record.created),
                "started": Self.time(status.started), "finished": Self.time(status.finished),
            ])
        }
        print(try JSONValue.array(values).indentedText())
    }

    /// - Parameter nanoseconds: since 1970.
    private static func time(_ nanoseconds: UInt64?) -> JSONValue {
        guard let nanoseconds else { return .null }
        let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        return .string(Date(timeIntervalSince1970: Double(nanoseconds) / 1e9).formatted(style))
    }
}
