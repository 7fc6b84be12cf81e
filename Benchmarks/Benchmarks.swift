import Foundation
import GuestToolchain

/// Runs guest programs on Aerie and on Debian's QEMU, in turn, and prints CPU seconds and their ratio.
///
/// A program counts its own instructions, so that the speed can be given in instructions a second as well.
@main
struct Benchmarks {
    private static let rounds = 5
    private static let programs = ["integer.c"]

    static func main() throws {
        let aerie = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
            .appending(path: "aerie").path
        let qemu = HostProgram.find("qemu-system-riscv64")
        if qemu == nil {
            print("qemu-system-riscv64 is not installed: no ratios (scripts/bootstrap --tests installs it)")
        }
        for program in programs {
            let file = FileManager.default.temporaryDirectory.appending(path: "aerie-benchmark-\(UUID().uuidString)")
            try Data(Toolchain.build(["runtime.S", "guest.c", program], flags: ["-O2"])).write(to: file)
            defer { try? FileManager.default.removeItem(at: file) }
            var ours: [Run] = []
            var theirs: [Run] = []
            for _ in 0..<rounds {
                ours.append(try run(aerie, ["run", "--engine", "interpret", "--firmware", file.path]))
                if let qemu {
                    theirs.append(
                        try run(qemu, ["-machine", "virt", "-nographic", "-no-reboot", "-bios", file.path]))
                }
            }
            report(program, "aerie (interpret)", ours)
            if let best = theirs.min(by: { $0.seconds < $1.seconds }), let own = ours.map(\.seconds).min() {
                report(program, "qemu", theirs)
                print("\(program): aerie (interpret) / qemu = \(format(own / best.seconds))")
            }
        }
    }

    private struct Run {
        /// User and system time of the whole process.
        let seconds: Double
        let instructions: UInt64
    }

    private static func run(_ path: String, _ arguments: [String]) throws -> Run {
        let before = childSeconds()
        let result = try HostProgram.run(path, arguments, limit: 600)
        let text = String(decoding: result.output, as: UTF8.self)
        guard result.status == 0,
            let count = text.split(whereSeparator: \.isWhitespace).last(where: { $0.hasPrefix("0x") })
        else { throw HostProgram.Failure(description: "\(path) failed: \(text)") }
        return Run(seconds: childSeconds() - before, instructions: UInt64(count.dropFirst(2), radix: 16) ?? 0)
    }

    private static func childSeconds() -> Double {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_CHILDREN.rawValue), &usage)
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
        return seconds(usage.ru_utime) + seconds(usage.ru_stime)
    }

    private static func report(_ program: String, _ machine: String, _ runs: [Run]) {
        let sorted = runs.sorted { $0.seconds < $1.seconds }
        guard let best = sorted.first, let worst = sorted.last else { return }
        var line = "\(program): \(machine): \(format(best.seconds)) to \(format(worst.seconds)) CPU seconds"
        if machine != "qemu" {
            line += ", \(Int(Double(best.instructions) / best.seconds / 1e6)) million instructions a second"
        }
        print(line)
    }

    private static func format(_ value: Double) -> String { String(format: "%.2f", value) }
}
