import ArgumentParser
import Foundation
import GuestToolchain

/// The options that select the machines of any benchmark.
struct MachineOptions: ParsableArguments {
    @OptionGroup var program: AerieOption

    @Option(help: ArgumentHelp("Another aerie program to measure in the same run.", valueName: "path"))
    var versus: String?

    @Option(help: ArgumentHelp("An engine to measure: translate (the default) or interpret. Repeatable."))
    var engine: [String] = ["translate"]

    @Flag(inversion: .prefixedNo, help: "Measure QEMU as well.")
    var qemu = true

    @Option(help: "How often each program runs on each machine. (default: 3, whole systems once)")
    var rounds: Int?

    @Flag(help: "Print the measurements as JSON.")
    var json = false

    func validate() throws {
        if let rounds, rounds < 1 { throw ValidationError("--rounds \(rounds): at least one is needed") }
        if let versus { _ = try BuiltProgram.aerie.path(versus) }
        for name in engine where !["translate", "interpret"].contains(name) {
            throw ValidationError("--engine \(name): only translate and interpret are known")
        }
    }

    /// The machines, without the host, in the order of each round.
    func machines() throws -> [Machine] {
        var result: [Machine] = []
        if qemu {
            if let path = HostProgram.find("qemu-system-riscv64") {
                result.append(Machine(name: "qemu", path: path, engine: nil))
            } else {
                complain("qemu-system-riscv64 is not installed: no ratios (scripts/bootstrap --tests installs it)")
            }
        }
        let own = try program.path
        for name in engine { result.append(Machine(name: name, path: own, engine: name)) }
        if let versus {
            for name in engine { result.append(Machine(name: "versus \(name)", path: versus, engine: name)) }
        }
        return result
    }
}

/// Prints a message to standard error.
func complain(_ text: String) {
    FileHandle.standardError.write(Data("\(text)\n".utf8))
}
