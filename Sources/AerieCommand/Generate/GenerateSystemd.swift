internal import Aerie
internal import ArgumentParser
internal import ControlAPI
internal import Foundation
internal import Runtime

struct GenerateSystemd: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "systemd",
        abstract: "Print a systemd user unit for a machine.",
        discussion: """
            The unit starts the machine, lets it power off at the unit's stop, and starts it again if its process is killed, where the \
            machine has a restart policy. With --new, the unit makes the machine anew at each start, and removes it at the end.

            Example:
              aerie generate systemd web >~/.config/systemd/user/aerie-web.service
              systemctl --user daemon-reload
              systemctl --user enable --now aerie-web
            """)

    @Flag(help: "Make the machine at each start of the unit, by the command that made this one.")
    var new = false

    @OptionGroup var machine: OneMachine
    @OptionGroup var verbosity: VerbosityOptions

    func run() throws {
        let record = try machine.find().record
        var words: [String]?
        if new {
            guard let made = try RunArguments.detached(record.arguments, name: record.name) else {
                throw AerieError(
                    .usage, asked: "--new",
                    found: "machine '\(record.name)' was not made by 'aerie run' or 'aerie create'",
                    advice: "leave --new out")
            }
            words = made
        }
        let unit = SystemdUnit(
            program: URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().path, record: record, arguments: words,
            environment: ProcessInfo.processInfo.environment)
        print(unit.text, terminator: "")
    }
}
