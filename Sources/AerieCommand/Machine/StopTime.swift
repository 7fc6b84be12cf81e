internal import Aerie
internal import ArgumentParser

/// How long a guest may take to power off.
struct StopTime: ParsableArguments {
    @Option(
        name: [.short, .long], parsing: .unconditional,
        help: ArgumentHelp("Seconds that a guest has to power off (default: the machine's, 10).", valueName: "seconds"))
    var time: String?

    func seconds() throws(AerieError) -> Int? {
        guard let time else { return nil }
        if let seconds = Int(time), (0...86_400).contains(seconds) { return seconds }
        throw AerieError(
            .usage, asked: "--time", found: "'\(time)' is not a number from 0 to 86400",
            advice: "choose a number in this range")
    }
}
