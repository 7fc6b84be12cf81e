import ArgumentParser
import Foundation

/// A program of this package that benchmarks measure.
enum BuiltProgram: String {
    case aerie
    case aerieVM = "aerie-vm"

    /// The path of the program: the given one, or that beside this program.
    ///
    /// - Throws: `ValidationError` when it cannot be executed.
    func path(_ given: String?) throws -> String {
        let own = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
        let path = given ?? own.appending(path: rawValue).path
        guard FileManager.default.isExecutableFile(atPath: path) else {
            throw ValidationError(
                "\(path) cannot be executed; build it with `swift build -c release --product \(rawValue)`")
        }
        return path
    }
}

/// The option that names the program `aerie`.
struct AerieOption: ParsableArguments {
    @Option(
        help: ArgumentHelp("The aerie program to measure; the one beside this program by default.", valueName: "path"))
    var aerie: String?

    func validate() throws {
        if aerie != nil { _ = try path }
    }

    var path: String { get throws { try BuiltProgram.aerie.path(aerie) } }
}
