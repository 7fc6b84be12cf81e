internal import Aerie
internal import ArgumentParser
internal import Foundation
internal import Glibc
internal import HostSystem

/// The program `aerie`: parses its arguments, calls down, and turns results into text and exit codes.
@main
struct AerieProgram: ParsableCommand {
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

    static func main() {
        ProcessStart.prepare()
        do {
            // Beyond the limit on the size of files, a write fails; the signal that comes with it would end this program.
            SignalWatch.discard(SIGXFSZ)
            try AerieError.checkArguments()
            let arguments = Array(CommandLine.arguments.dropFirst())
            try VerbWords.check(arguments)
            var command = try parse(RunWords.terminated(arguments))
            if let asynchronous = command as? any AsyncParsableCommand { runInTask(asynchronous) }
            try command.run()
            try flush()
        } catch {
            Failure(error).exit()
        }
    }

    /// Runs a command in a task, and ends the program with it.
    ///
    /// The main thread only waits. The thread of an asynchronous `main` ends, for which the C library unwinds it: in a static program it sorts all
    /// tables for that first, which takes longer than most verbs.
    private static func runInTask(_ command: any AsyncParsableCommand) -> Never {
        // This thread does not touch it any more.
        nonisolated(unsafe) var command = command
        Task.detached(priority: .userInitiated) {
            do {
                try await command.run()
                try flush()
            } catch {
                Failure(error).exit()
            }
            Glibc.exit(0)
        }
        while true { pause() }
    }

    private static func flush() throws(AerieError) {
        do throws(SystemError) { try ProcessStart.flushStandardOutput() } catch { throw AerieError(output: error) }
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
