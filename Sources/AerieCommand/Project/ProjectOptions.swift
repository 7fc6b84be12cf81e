internal import ArgumentParser

/// Which project a verb is about.
struct ProjectOptions: ParsableArguments {
    @Option(
        name: [.short, .long],
        help: ArgumentHelp(
            "The project's file (default: aerie.yaml, compose.yaml or docker-compose.yaml here or in a directory above).",
            valueName: "file"))
    var file: String?

    @Option(
        name: [.customShort("p"), .long],
        help: ArgumentHelp(
            "The project's name (default: the file's 'name', or the name of its directory).", valueName: "name"))
    var project: String?
}
