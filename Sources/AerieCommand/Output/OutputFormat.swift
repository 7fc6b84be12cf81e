internal import ArgumentParser
internal import Foundation

/// The form of output that is data.
enum OutputFormat: String, CaseIterable, ExpressibleByArgument {
    case text
    case json
}

/// The option `--format` of every verb whose output is data.
struct FormatOptions: ParsableArguments {
    @Option(help: "Print text for people or json for programs.")
    var format = OutputFormat.text

    /// Prints a value as indented JSON with keys in a fixed order.
    func printJSON(_ value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        encoder.dateEncodingStrategy = .iso8601
        print(String(decoding: try encoder.encode(value), as: UTF8.self))
    }
}

/// The option `--verbose` of every verb; `Failure` looks for it as well, because errors come before and after parsing.
struct VerbosityOptions: ParsableArguments {
    @Flag(help: "Say more about what goes wrong.")
    var verbose = false
}
