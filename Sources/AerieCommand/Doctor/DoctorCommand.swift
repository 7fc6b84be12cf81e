internal import ArgumentParser
internal import TextTables

struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Say what this host can do, each line with the reason.",
        discussion: """
            Examples:
              aerie doctor
              aerie doctor --format json

            Exit codes: 0 when guests can run here and images can be built, 69 when something for that is missing.
            """)

    @OptionGroup var format: FormatOptions
    @OptionGroup var verbosity: VerbosityOptions

    func run() throws {
        let findings = HostExamination().findings()
        switch format.format {
        case .json: try format.printJSON(findings)
        case .text:
            let rows = findings.map { finding in
                [
                    finding.status.rawValue, finding.name,
                    finding.reason + (finding.advice.isEmpty ? "" : "; \(finding.advice)"),
                ]
            }
            print(TextTable(rows: rows).text)
        }
        if findings.contains(where: { $0.status == .missing }) { throw ExitCode(69) }
    }
}
