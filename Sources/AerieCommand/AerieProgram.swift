internal import Aerie
internal import ArgumentParser
internal import Foundation
internal import HostSystem

/// The program `aerie`: parses its arguments, calls down, and turns results into text and exit codes.
@main
struct AerieProgram: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "aerie",
        abstract: "Runs virtual machines.",
        discussion: """
            Boot Debian on this terminal, building its image on first use:
              aerie run debian

            Ctrl-] three times in a second leaves a guest's console. 'aerie help VERB' shows how a verb is used.
            """,
        version: "aerie 0.1.0",
        subcommands: [
            RunCommand.self, CreateCommand.self, StartCommand.self, StopCommand.self, KillCommand.self,
            RestartCommand.self, RemoveCommand.self, PauseCommand.self, ResumeCommand.self, RenameCommand.self,
            ListCommand.self, InspectCommand.self, StatsCommand.self, LogsCommand.self, WaitCommand.self,
            AttachCommand.self, ExecCommand.self, CopyCommand.self, SSHConfigCommand.self, SetCommand.self,
            SnapshotCommand.self, RestoreCommand.self, ForkCommand.self, CloneCommand.self, MigrateCommand.self,
            ReceiveCommand.self,
            UpCommand.self, DownCommand.self, GenerateCommand.self, ImageCommand.self, DiskCommand.self,
            DoctorCommand.self, SSHProxyCommand.self,
        ])

    static func main() async {
        ProcessStart.prepare()
        do {
            // Beyond the limit on the size of files, a write fails; the signal that comes with it would end this program.
            SignalWatch.discard(SIGXFSZ)
            try AerieError.checkArguments()
            let arguments = Array(CommandLine.arguments.dropFirst())
            try VerbWords.check(arguments)
            var command = try parse(RunWords.terminated(arguments))
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
            do throws(SystemError) { try ProcessStart.flushStandardOutput() } catch { throw AerieError(output: error) }
        } catch {
            Failure(error).exit()
        }
    }

    /// The command that the arguments describe.
    ///
    /// The verb's own parser needs half of the time of the whole program's, which looks at the options of every level three times. Help and errors name the
    /// whole command: they come from the whole program's parser.
    private static func parse(_ arguments: [String]) throws -> any ParsableCommand {
        if let (verb, rest) = VerbWords.verb(of: arguments), let command = try? verb.parseAsRoot(rest),
            type(of: command) == verb
        {
            return command
        }
        return try parseAsRoot(arguments)
    }
}
