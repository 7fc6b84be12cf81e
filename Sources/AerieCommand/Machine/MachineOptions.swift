internal import Aerie
internal import ArgumentParser
internal import ControlAPI

/// What is said about a machine as a thing that is kept, beside what it consists of.
struct MachineOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The machine's name (default: two words that are made up).", valueName: "name"))
    var name: String?

    @Option(
        help: ArgumentHelp(
            "When the machine ends by itself, start it again: no (default), on-failure[:N] or always.",
            valueName: "policy"))
    var restart: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "The machine's part of a busy processor in relation to others, 1 to 10000; an ordinary process has 100.",
            valueName: "n"))
    var cpuWeight: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "The most processor time of the machine, in percent of one processor: 30%, or 250% for two and a half.",
            valueName: "percent"))
    var cpuLimit: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Run on these processors of the host only, such as 0-3,6.", valueName: "list"))
    var pin: String?

    @Flag(name: .customLong("rm"), help: "Remove the machine, with its disk, when it ends.")
    var removesAtEnd = false

    func policy() throws(AerieError) -> RestartPolicy {
        guard let restart else { return .no }
        if let policy = RestartPolicy(restart) { return policy }
        throw AerieError(
            .usage, asked: "--restart \(restart)", found: "it is not a restart policy",
            advice: "use no, on-failure, on-failure:N or always")
    }

    /// Nil when nothing was asked for.
    func processorShare() throws(AerieError) -> ProcessorShare? {
        var share = ProcessorShare()
        if let cpuWeight { share.weight = try ProcessorShare.weight(cpuWeight, asked: "--cpu-weight") }
        if let cpuLimit { share.limit = try ProcessorShare.limit(cpuLimit, asked: "--cpu-limit") }
        if let pin { share.processors = try ProcessorShare.processors(pin, asked: "--pin") }
        return share == ProcessorShare() ? nil : share
    }

    func validate() throws {
        if removesAtEnd, let policy = restart.flatMap({ RestartPolicy($0) }), policy != .no {
            throw AerieError(
                .usage, asked: "--rm", found: "--restart \(policy) keeps the machine", advice: "leave one out")
        }
    }
}
