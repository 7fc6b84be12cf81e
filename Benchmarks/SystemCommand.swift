import ArgumentParser
import Foundation
import GuestToolchain

/// Debian's kernel with our program as its first process: system calls, context switches, processes, page faults.
struct SystemCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "system", abstract: "Debian's kernel: its start, system calls, processes, page faults, memory.")

    static let loads = ["pipe", "exec", "getppid", "faults"]

    @OptionGroup var options: MachineOptions

    @Option(
        help: ArgumentHelp("The kernel; by default that of the image of `aerie image build debian`.", valueName: "path")
    )
    var linux: String?

    func run() throws {
        let machines = try options.machines()
        let kernel = try linux ?? DebianFiles(aerie: options.program.path).kernel
        let builder = try ProgramBuilder()
        defer { builder.remove() }
        let host = try builder.hostSystemProgram()
        let program = try Data(contentsOf: URL(filePath: builder.guestSystemProgram()))
        let initrd = builder.directory.appending(path: "initrd").path
        try InitialRAMDisk.archive(initProgram: program).write(to: URL(filePath: initrd))

        var native = Dictionary(uniqueKeysWithValues: Self.loads.map { ($0, [Double]()) })
        var runs = machines.map { _ in [MarkedRun]() }
        let rounds = options.rounds ?? 1
        for round in 1...rounds {
            for load in Self.loads {
                let start = try ProcessRun(host, ["nothing"]).seconds
                native[load]?.append(try ProcessRun(host, [load]).seconds - start)
            }
            for (index, machine) in machines.enumerated() {
                complain("round \(round) of \(rounds): Debian's kernel on \(machine.name)")
                runs[index].append(try MarkedRun(machine, machine.arguments(kernel: kernel, initrd: initrd)))
            }
        }
        let report = SystemReport(native: native, machines: machines.map(\.name), runs: runs)
        print(options.json ? try report.json() : report.text())
    }
}
