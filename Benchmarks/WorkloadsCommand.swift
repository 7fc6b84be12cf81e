import ArgumentParser
import Foundation
import GuestToolchain

/// Debian's programs in a guest: package tools, shells, Perl, and, if they are in the image, Python and gcc.
struct WorkloadsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "workloads",
        abstract: "Debian's programs: dpkg, apt, Perl, shells; Python and gcc if they are in the image.",
        discussion: "An image with all: aerie image build debian --package gcc --package libc6-dev --package python3")

    @OptionGroup var options: MachineOptions

    @Option(help: "The image to boot.")
    var image = "debian"

    func run() throws {
        let machines = try options.machines()
        let files = try DebianFiles(aerie: options.program.path, image: image)
        let disk = FileManager.default.temporaryDirectory.appending(path: "aerie-workloads-\(UUID().uuidString)")
        try Self.script().write(to: disk)
        defer { try? FileManager.default.removeItem(at: disk) }

        var runs = machines.map { _ in [MarkedRun]() }
        var results: [String: String] = [:]
        let rounds = options.rounds ?? 1
        for round in 1...rounds {
            for (index, machine) in machines.enumerated() {
                complain("round \(round) of \(rounds): Debian's programs on \(machine.name)")
                let run = try MarkedRun(
                    machine, machine.arguments(files, second: disk.path, command: ["sh", "/dev/vdb"]))
                for (name, result) in run.results {
                    guard results[name, default: result] == result else {
                        throw BenchmarkError("\(name) on \(machine.name) gives \(result), and before \(results[name]!)")
                    }
                    results[name] = result
                }
                runs[index].append(run)
            }
        }
        let report = WorkloadReport(machines: machines.map(\.name), runs: runs)
        print(options.json ? try report.json() : report.text())
    }

    /// A shell script that writes its loads' files and runs the loads. The guest reads it from a disk, so its size is padded to
    /// whole sectors.
    private static func script() throws -> Data {
        let directory = URL(filePath: ProgramBuilder.sources)
        var text = "mkdir -p /tmp/bench\n"
        let names = ["kernel.h", "program.py", "program.pl"] + Set(Kernel.all.map(\.source)).sorted()
        for name in names {
            text += "cat >/tmp/bench/\(name) <<'end of \(name)'\n"
            text += try String(contentsOf: directory.appending(path: name), encoding: .utf8)
            text += "end of \(name)\n"
        }
        text += try String(contentsOf: directory.appending(path: "workloads.sh"), encoding: .utf8)
        var data = Data(text.utf8)
        data.append(contentsOf: repeatElement(10, count: 512 - data.count % 512))
        return data
    }
}
