internal import AgentProtocol
internal import Aerie
internal import ArgumentParser
internal import ControlAPI
internal import MachineSession

/// What is said about a machine as a thing that is kept, beside what it consists of.
struct MachineOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The machine's name (default: two words that are made up).", valueName: "name"))
    var name: String?

    @Option(
        name: [.customShort("h", allowingJoined: true), .long],
        help: ArgumentHelp("The host name of an image's guest (default: the machine's name).", valueName: "name"))
    var hostname: String?

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

    @Option(
        help: ArgumentHelp(
            "A text that is kept with the machine, as KEY=VALUE; 'aerie ps --filter label=KEY=VALUE' finds it. Repeatable.",
            valueName: "label"))
    var label: [String] = []

    @OptionGroup var health: HealthOptions

    func identity() throws(AerieError) -> MachineIdentity {
        var labels: [String: String] = [:]
        for text in label {
            let pair = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard !pair[0].isEmpty else {
                throw AerieError(
                    .usage, asked: "--label \(text)", found: "the key is missing", advice: "use KEY=VALUE")
            }
            labels[pair[0]] = pair.count == 2 ? pair[1] : ""
        }
        return MachineIdentity(
            name: name, restart: try policy(), labels: labels, processorShare: try processorShare(),
            healthCheck: try health.check())
    }

    /// Adds the options that are settings of the guest.
    func complete(_ settings: inout RunSettings) throws(AerieError) {
        guard let hostname else { return }
        guard ConfigureRequest.isHostname(Array(hostname.utf8)), settings.image != nil else {
            throw AerieError(
                .usage, asked: "--hostname \(hostname)",
                found: settings.image == nil ? "the guest is not an image's" : "it is not a valid host name",
                advice: "use up to 64 letters, digits, '-' and '.', with an image")
        }
        settings.commandLine = ["aerie.hostname=\(hostname)", settings.commandLine].compactMap { $0 }.joined(
            separator: " ")
    }

    private func policy() throws(AerieError) -> RestartPolicy {
        guard let restart else { return .no }
        if let policy = RestartPolicy(restart) {
            guard !removesAtEnd || policy == .no else {
                throw AerieError(
                    .usage, asked: "--rm", found: "--restart \(policy) keeps the machine", advice: "leave one out")
            }
            return policy
        }
        throw AerieError(
            .usage, asked: "--restart \(restart)", found: "it is not a restart policy",
            advice: "use no, on-failure, on-failure:N or always")
    }

    /// Nil when nothing was asked for.
    private func processorShare() throws(AerieError) -> ProcessorShare? {
        var share = ProcessorShare()
        if let cpuWeight { share.weight = try ProcessorShare.weight(cpuWeight, asked: "--cpu-weight") }
        if let cpuLimit { share.limit = try ProcessorShare.limit(cpuLimit, asked: "--cpu-limit") }
        if let pin { share.processors = try ProcessorShare.processors(pin, asked: "--pin") }
        return share == ProcessorShare() ? nil : share
    }
}
