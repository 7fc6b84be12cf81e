internal import Aerie
internal import ArgumentParser
internal import DiskImages

struct DiskChecking: ParsableCommand {
    enum Repair: String, CaseIterable, ExpressibleByArgument {
        case leaks, all
    }

    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Check the tables of a qcow2 image.",
        discussion: """
            Example:
              aerie disk check --repair leaks data.qcow2

            Leaks are clusters that nothing uses: they cost space. Everything else that is found is an error. Exit code 65 says that \
            something was found and not repaired.
            """)

    @Argument(help: "The qcow2 image.")
    var file: String

    @Option(help: ArgumentHelp("Repair leaks, or all that can be repaired.", valueName: "leaks|all"))
    var repair: Repair?

    @OptionGroup var format: FormatOptions
    @OptionGroup var verbosity: VerbosityOptions

    private struct Summary: Encodable {
        let file: String
        let leaks: UInt64
        let errors: UInt64
        let repairedLeaks: UInt64
        let repairedErrors: UInt64
        let allocatedClusters: UInt64
        let totalClusters: UInt64
        let compressedClusters: UInt64
        let findings: [String]
    }

    func run() throws {
        let argument = try DiskArgument(file)
        guard argument.format != .raw else {
            throw AerieError(.usage, asked: file, found: "a raw image has no tables", advice: "give a qcow2 image")
        }
        let kind: Qcow2Checker.Repair =
            switch repair {
            case nil: .nothing
            case .leaks: .leaks
            case .all: .counts
            }
        let report = try Qcow2Checker.check(path: argument.path, repair: kind)
        switch format.format {
        case .json:
            try format.printJSON(
                Summary(
                    file: argument.path, leaks: report.leaks, errors: report.errors,
                    repairedLeaks: report.repairedLeaks, repairedErrors: report.repairedErrors,
                    allocatedClusters: report.allocatedClusters, totalClusters: report.totalClusters,
                    compressedClusters: report.compressedClusters, findings: report.findings))
        case .text: print(Self.text(argument.path, report))
        }
        if !report.isClean { throw ExitCode(AerieError.Category.badInput.rawValue) }
    }

    private static func text(_ path: String, _ report: Qcow2CheckReport) -> String {
        var lines = report.findings
        if UInt64(report.findings.count) < report.errors { lines.append("and more") }
        func count(_ name: String, _ found: UInt64, _ repaired: UInt64) -> String {
            repaired > 0 ? "\(found) \(name), \(repaired) repaired" : "\(found) \(name)"
        }
        lines.append(
            "\(path): " + count("errors", report.errors, report.repairedErrors) + "; "
                + count("leaks", report.leaks, report.repairedLeaks)
                + "; \(report.allocatedClusters) of \(report.totalClusters) clusters in use")
        return lines.joined(separator: "\n")
    }
}
