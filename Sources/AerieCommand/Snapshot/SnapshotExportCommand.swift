internal import Aerie
internal import ArgumentParser
internal import Glibc
internal import HostSystem
internal import Runtime

struct SnapshotExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write a snapshot to a file, with everything that another host needs.",
        discussion: """
            The file has the memory, the whole disk, the kernel and the initial RAM disk, compressed. It holds whatever the guest had in \
            its memory, secrets too. FILE must not be there yet; - is standard output.

            Example:
              aerie snapshot export before-upgrade before-upgrade.aerie
              aerie snapshot export before-upgrade - | ssh other aerie snapshot import -
            """)

    @Argument(help: ArgumentHelp("The name or the ID of a snapshot.", valueName: "snapshot"))
    var snapshot: String
    @Argument(help: ArgumentHelp("The file, or - for standard output.", valueName: "file"))
    var file: String
    @OptionGroup var verbosity: VerbosityOptions

    func run() throws {
        let snapshot = try userSnapshots().find(snapshot)
        guard file == "-" else { return try write(snapshot) }
        guard !Terminal.isTerminal(STDOUT_FILENO) else {
            throw AerieError(
                .usage, asked: "an export to standard output", found: "it is a terminal",
                advice: "redirect it, or name a file")
        }
        SignalWatch.discard(SIGPIPE)
        try SnapshotExport.write(
            snapshot,
            to: try opening { () throws(SystemError) in
                try FileDescriptor(duplicating: STDOUT_FILENO, least: 3)
            })
    }

    /// The file appears under its name when it is complete.
    private func write(_ snapshot: Snapshot) throws {
        guard access(file, F_OK) != 0 else { throw taken }
        try opening { () throws in
            var replacement = try ReplacementFile(replacing: file, mode: 0o600)
            try SnapshotExport.write(snapshot, to: try replacement.file.duplicate())
            try replacement.commit(replaces: false)
        }
    }

    private var taken: AerieError {
        AerieError(
            .usage, asked: "exporting to \(file)", found: "the file is there already", advice: "name another file")
    }

    private func opening<Result: ~Copyable>(_ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch let error as SystemError {
            if error.code == EEXIST { throw taken }
            throw AerieError(
                .inputOutput, asked: "exporting to \(file)", found: error.description,
                advice: "make room, or choose another place")
        }
    }
}
