internal import Aerie
internal import ArgumentParser
internal import ControlAPI
internal import Runtime

struct WaitCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wait",
        abstract: "Wait until machines have ended, and print their exit codes.",
        discussion: """
            Example:
              aerie wait build
            """)

    @Argument(help: ArgumentHelp("Names or IDs of machines; the beginning of an ID is enough.", valueName: "machine"))
    var names: [String]

    @OptionGroup var verbosity: VerbosityOptions

    func run() throws {
        let directory = try userMachines()
        for name in names { print(try Self.code(of: try directory.find(name))) }
    }

    /// The exit code of a machine, when it has ended for good.
    static func code(of machine: Machine) throws -> Int32 {
        var code: Int32?
        if machine.isRunning {
            // A machine that is removed at its end leaves no status; the answer comes before.
            if let answer = try? ControlClient(machine).call(.wait) { code = answer["code"]?.integer.map(Int32.init) }
            try machine.waitForEnd()
        }
        guard !machine.isGone else { return code ?? 0 }
        return machine.status.exitCode ?? code ?? 0
    }
}
