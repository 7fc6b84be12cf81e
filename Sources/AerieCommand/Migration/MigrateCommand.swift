internal import Aerie
internal import AerieMachines
internal import ArgumentParser
internal import ControlAPI
internal import HostSystem
internal import Runtime

struct MigrateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate",
        abstract: "Move a running machine to another host, or to another user or directory of this one.",
        discussion: """
            The guest runs on while its memory and its disk are sent, stands still for a moment, and goes on where 'aerie receive' waits. The \
            machine is removed here then. A transfer that fails before that moment leaves it running here. If nobody knows whether it runs there, or \
            if it cannot have its disks back, it stands still here, and the error says so.

            Disks of --disk, --overlay and --flash stay where they are if both hosts see them at the same path. Where the receiver has no file at \
            the path, they are copied, and the originals stay here.

            A guest that writes faster than the connection carries is slowed down. --bandwidth leaves room for others on the connection, and \
            --compress sends less for more processor time.

            With --post-copy the guest goes on there before all of its memory is there, and waits for the parts that it needs: with \
            'auto' instead of being slowed down, with 'always' after its memory was sent once. If the connection or either side fails after \
            that and before the rest has come, the guest's state is lost: it ends there as if its power were cut, and stands still here as \
            it was at the handover. Without --post-copy, one of both always has the machine.

            DESTINATION is ssh:HOST, which starts 'aerie receive -' there, or unix:PATH or 127.0.0.1:PORT of an 'aerie receive' on this host.

            Example:
              aerie migrate build ssh:admin@second.example
              aerie migrate build ssh:admin@second.example --bandwidth 20M --compress
              aerie migrate build ssh:admin@second.example --post-copy auto
            """)

    @OptionGroup var machine: OneMachine
    @Argument(help: ArgumentHelp("Where it goes.", valueName: "destination"))
    var destination: String
    @Option(
        help: ArgumentHelp("The most bytes a second, 64K or more, such as 20M (default: no limit).", valueName: "rate"))
    var bandwidth: String?
    @Flag(help: "Compress what is sent (Zstandard).")
    var compress = false
    @Option(
        help: ArgumentHelp(
            "Let the guest go on there before all of its memory is there: auto (when it writes faster than it is sent) or always.",
            valueName: "when"))
    var postCopy: String?
    @OptionGroup var format: FormatOptions
    @OptionGroup var verbosity: VerbosityOptions

    func run() throws {
        let machine = try machine.find()
        try machine.requireRunning(for: "migrating")
        let options = TransferOptions(bandwidth: try rate(), isCompressed: compress, postCopy: try postCopyOption())
        let address = try MigrationAddress(destination)
        let connection = try MigrationConnection.open(address)
        let peer = MigrationQuestions.Peer(
            connect: { try MigrationConnection.open(address).parts }, disconnect: { connection.abort() })
        let interruption = Interruption { connection.cut() }
        if address != .standard { try Self.starting(interruption) }
        let report: MigrationSender.Report
        do {
            report = try MigrationSender(
                machine, input: connection.input, output: connection.output, options,
                peer: address == .standard ? nil : peer, willHandOver: { interruption.finish(nil) }
            ) { StandardError.write("aerie: \($0)\n") }.send()
        } catch {
            interruption.finish("migrating machine '\(machine.record.name)': interrupted; the machine goes on here")
            throw error
        }
        // It runs there. What is left here is of no use to anybody.
        try MachineEnding.kill(machine)
        if !machine.isGone { try userMachines().remove(machine) }
        connection.close()
        for disk in report.copiedDisks ?? [] {
            StandardError.write(
                "aerie: disk \(disk) was copied there, and stays here; remove it when it is of no more use\n")
        }
        if format.format == .json { try format.printJSON(report) } else { print(report.name) }
    }

    /// Until the handover, a signal that ends this program ends the transfer at once: the machine would send all of it otherwise.
    private static func starting(_ interruption: Interruption) throws(AerieError) {
        do throws(SystemError) { try interruption.start() } catch { throw AerieError(opening: "signals", error) }
    }

    private func postCopyOption() throws(AerieError) -> TransferOptions.PostCopy {
        guard let postCopy else { return .never }
        if let found = TransferOptions.PostCopy(rawValue: postCopy), found != .never { return found }
        throw AerieError(
            .usage, asked: "--post-copy \(postCopy)", found: "it is not 'auto' or 'always'", advice: "give one of them")
    }

    private func rate() throws(AerieError) -> UInt64? {
        guard let bandwidth else { return nil }
        if let bytes = ByteSize(bandwidth)?.bytes, TransferOptions.bandwidths.contains(bytes) { return bytes }
        throw AerieError(
            .usage, asked: "--bandwidth \(bandwidth)", found: "it is not a rate from 64K to 1T",
            advice: "give bytes a second, such as 20M")
    }
}
