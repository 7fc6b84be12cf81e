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

    func policy() throws(AerieError) -> RestartPolicy {
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
