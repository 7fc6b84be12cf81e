internal import ArgumentParser

struct GenerateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "generate",
        abstract: "Write files for other programs that manage machines.",
        subcommands: [GenerateSystemd.self])
}
