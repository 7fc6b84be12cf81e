internal import Aerie
internal import ArgumentParser
internal import ControlAPI
internal import Glibc
internal import HostSystem
internal import Runtime

struct SnapshotImportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Make a snapshot from a file of 'aerie snapshot export'.",
        discussion: """
            Nothing in the file can give the guest a part of this host: a machine that is restored from it has a disk and at most a user \
            network. A file that was altered or cut off is refused, and nothing of it is left. Prints the snapshot's name.

            Example:
              aerie snapshot import before-upgrade.aerie
              aerie restore before-upgrade
            """)

    @Argument(help: ArgumentHelp("The file, or - for standard input.", valueName: "file"))
    var file: String
    @Option(help: ArgumentHelp("The snapshot's name (default: the one that it had).", valueName: "name"))
    var name: String?
    @OptionGroup var verbosity: VerbosityOptions

    func run() throws {
        let source = try open()
        let reading = try SnapshotImport(from: source, name: file == "-" ? "standard input" : file)
        let snapshot = try userSnapshots().create(name: name ?? reading.record.name, of: reading.record.machine) {
            work in
            try reading.read(to: work)
        }
        print(snapshot.record.name)
    }

    private func open() throws(AerieError) -> FileDescriptor {
        do throws(SystemError) {
            guard file == "-" else { return try FileDescriptor(path: file, flags: O_RDONLY) }
            return try FileDescriptor(duplicating: STDIN_FILENO, least: 3)
        } catch {
            throw AerieError(.usage, asked: "importing \(file)", found: error.description, advice: "check the path")
        }
    }
}
