internal import Aerie
internal import ArgumentParser
internal import ControlAPI
internal import Foundation
internal import HostSystem
internal import Runtime

/// The machines of the user who runs this program.
func userMachines() throws(AerieError) -> StateDirectory {
    try StateDirectory(environment: ProcessInfo.processInfo.environment)
}

/// The identities of the images that machines and snapshots were made from: their disks are based on the images' files.
func imagesOfMachines() throws(AerieError) -> Set<String> {
    let snapshots = try userSnapshots().snapshots().map(\.record.machine)
    return Set((try userMachines().machines().map(\.record) + snapshots).compactMap { $0.image?.identity })
}

/// Calls `body` for each item and prints the item's name when it has succeeded. Failures are reported at once, and the first one's code is the
/// program's.
func forEachName<Item>(_ items: [Item], name: (Item) -> String, _ body: (Item) throws -> Void) throws {
    var code: Int32 = 0
    for item in items {
        do {
            try body(item)
            print(name(item))
        } catch {
            let failure = Failure(error)
            if code == 0 { code = failure.code }
            StandardError.write("aerie: \(failure.message)\n")
        }
    }
    if code != 0 { throw ExitCode(code) }
}

/// The machines that a verb is about.
struct MachineSelection: ParsableArguments {
    @Argument(help: ArgumentHelp("Names or IDs of machines; the beginning of an ID is enough.", valueName: "machine"))
    var names: [String] = []

    @Flag(name: [.short, .long], help: "All machines that this verb can be about.")
    var all = false

    /// Calls `body` for each machine, as `forEachName`.
    ///
    /// - Parameter isMeant: whether a machine is one of all.
    func forEach(all isMeant: (Machine) -> Bool, _ body: (Machine) throws -> Void) throws {
        let directory = try userMachines()
        guard all != !names.isEmpty else {
            throw AerieError(
                .usage, asked: all ? "--all" : "the machines", found: all ? "machines are named, too" : "none is named",
                advice: all ? "leave one out" : "name them, or use --all")
        }
        guard all else { return try forEachName(names, name: { $0 }) { try body(try directory.find($0)) } }
        try directory.requireReadable()
        try forEachName(directory.machines().filter(isMeant), name: \.record.name, body)
    }
}

/// The machine that a verb is about.
struct OneMachine: ParsableArguments {
    @Argument(
        help: ArgumentHelp("The name or the ID of a machine; the beginning of an ID is enough.", valueName: "machine"))
    var name: String

    func find() throws(AerieError) -> Machine { try userMachines().find(name) }
}
