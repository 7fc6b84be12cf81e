import AerieMachines
import Glibc

/// Boots several machines from an image, runs a command in all of them at once, and prints what each one says.
///
///     MachineFleet COUNT IMAGE COMMAND [ARGUMENT...]
@main
struct MachineFleet {
    static func main() async {
        do {
            let arguments = CommandLine.arguments.dropFirst()
            guard arguments.count >= 3, let count = arguments.first.flatMap({ Int($0) }), (1...64).contains(count)
            else {
                throw AerieError(
                    .usage, asked: "a fleet", found: "the arguments do not describe one",
                    advice: "give COUNT (1 to 64) IMAGE COMMAND")
            }
            let words = Array(arguments.dropFirst())
            let results = try await run(count, image: words[0], GuestCommand(Array(words.dropFirst())))
            for (number, result) in results.sorted(by: { $0.key < $1.key }) {
                print("machine \(number): code \(result.status.code)\n\(result.text)", terminator: "")
            }
        } catch let error as AerieError {
            print("MachineFleet: \(error)")
            exit(error.exitCode)
        } catch {
            print("MachineFleet: \(error)")
            exit(70)
        }
    }

    static func run(_ count: Int, image: String, _ command: GuestCommand) async throws -> [Int: CommandResult] {
        let store = try MachineStore()
        var settings = MachineSettings(image: try await store.image(image))
        settings.configuration.memory = .mebibytes(256)
        return try await withThrowingTaskGroup(of: (Int, CommandResult).self) { [settings] group in
            for number in 1...count {
                group.addTask {
                    // Each machine is gone behind its scope. The error of one ends the others.
                    try await store.withMachine(settings) { machine in (number, try await machine.run(command)) }
                }
            }
            return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
    }
}
