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

    @Flag(name: .customLong("rm"), help: "Remove the machine, with its disk, when it ends.")
    var removesAtEnd = false

    @Option(
        help: ArgumentHelp(
            "A text that is kept with the machine, as KEY=VALUE; 'aerie ps --filter label=KEY=VALUE' finds it. Repeatable.",
            valueName: "label"))
    var label: [String] = []

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
        return MachineIdentity(name: name, restart: try policy(), labels: labels)
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
}
