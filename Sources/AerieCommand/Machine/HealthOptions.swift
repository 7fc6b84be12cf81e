internal import Aerie
internal import ArgumentParser
internal import Compose
internal import ControlAPI

/// The health check of a machine.
struct HealthOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "A command that the guest's shell runs at intervals; code 0 means that the guest is healthy.",
            valueName: "command"))
    var healthCmd: String?

    @Option(help: ArgumentHelp("The time between two health checks (default: 30s).", valueName: "duration"))
    var healthInterval: String?

    @Option(help: ArgumentHelp("A health check that takes longer has failed (default: 30s).", valueName: "duration"))
    var healthTimeout: String?

    @Option(
        help: ArgumentHelp("Failures in a row that make the guest unhealthy, 1 to 1000 (default: 3).", valueName: "n"))
    var healthRetries: Int?

    @Option(
        help: ArgumentHelp(
            "Failures count after this time from the agent's first word, or after the first success (default: 0s).",
            valueName: "duration"))
    var healthStartPeriod: String?

    func check() throws(AerieError) -> HealthCheck? {
        guard let healthCmd else {
            let options = [healthInterval, healthTimeout, healthStartPeriod].compactMap { $0 }
            guard options.isEmpty, healthRetries == nil else {
                throw AerieError(
                    .usage, asked: "a health check", found: "its command is missing", advice: "give --health-cmd")
            }
            return nil
        }
        guard !healthCmd.isEmpty else {
            throw AerieError(
                .usage, asked: "--health-cmd", found: "the command is empty", advice: "leave the option out")
        }
        var check = HealthCheck(command: ["/bin/sh", "-c", healthCmd])
        check.interval = try Self.duration(healthInterval, "--health-interval", atLeast: 1_000_000) ?? check.interval
        check.timeout = try Self.duration(healthTimeout, "--health-timeout", atLeast: 1_000_000) ?? check.timeout
        check.startPeriod =
            try Self.duration(healthStartPeriod, "--health-start-period", atLeast: 0) ?? check.startPeriod
        check.retries = healthRetries ?? check.retries
        guard (1...1000).contains(check.retries) else {
            throw AerieError(
                .usage, asked: "--health-retries \(check.retries)", found: "the number is out of range",
                advice: "give one from 1 to 1000")
        }
        return check
    }

    private static func duration(
        _ text: String?, _ option: String, atLeast minimum: Int
    ) throws(AerieError) -> UInt64? {
        guard let text else { return nil }
        if let value = DurationText.nanoseconds(text), value >= minimum { return UInt64(value) }
        throw AerieError(
            .usage, asked: "\(option) \(text)", found: "it is not a valid duration",
            advice: "use a form such as 30s or 1m30s")
    }
}
