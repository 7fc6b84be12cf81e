import ArgumentParser
import Foundation
import GuestToolchain

/// Computations without an operating system: one hart, S-mode, Sv39 with pages of 4 KiB.
struct KernelsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kernels", abstract: "Computations in C: integer, memory, floating point.")

    @OptionGroup var options: MachineOptions

    @Option(help: ArgumentHelp("Measure only this kernel. Repeatable.", valueName: "name"))
    var kernel: [String] = []

    func validate() throws {
        let names = Kernel.all.map(\.name)
        for name in kernel where !names.contains(name) {
            throw ValidationError("--kernel \(name): there is \(names.joined(separator: ", "))")
        }
    }

    func run() throws {
        let kernels = [Kernel.empty] + Kernel.all.filter { kernel.isEmpty || kernel.contains($0.name) }
        let machines = try options.machines()
        let builder = try ProgramBuilder()
        defer { builder.remove() }
        var samples: [[Samples]] = []
        let programs = try kernels.map { (host: try builder.host($0), guest: try builder.guest($0)) }
        for kernel in kernels {
            samples.append(([nil] + machines).map { Samples(kernel: kernel, machine: $0?.name ?? "native") })
        }
        let rounds = options.rounds ?? 3
        for round in 1...rounds {
            for (index, program) in programs.enumerated() {
                complain("round \(round) of \(rounds): \(kernels[index].name)")
                let native = try ProcessRun(program.host, [])
                samples[index][0].seconds.append(native.seconds)
                let checksum = native.lines.first ?? ""
                for (place, machine) in machines.enumerated() {
                    let run = try ProcessRun(machine.path, machine.arguments(program: program.guest))
                    guard run.lines.first == checksum else {
                        throw BenchmarkError(
                            "\(kernels[index].name) on \(machine.name) gives \(run.lines), the host \(native.lines)")
                    }
                    try samples[index][place + 1].add(run)
                }
            }
        }
        let report = KernelReport(samples: samples)
        print(options.json ? try report.json() : report.text())
    }
}
