import Foundation
import TextTables

/// Operations in a second and CPU time for an operation, on each machine; medians of the rounds.
struct IOReport: Report {
    private struct Row: Encodable {
        let load: String
        /// One for each machine.
        let operationsPerSecond: [Double]
        /// CPU microseconds of the machine's process for an operation: all work of the guest, the start of fio included.
        let microseconds: [Double]
    }

    private let processor: String
    private let machines: [String]
    private let loads: [Row]

    /// - Parameter seconds: how long each load ran.
    init(machines: [String], runs: [[MarkedRun]], seconds: Int) {
        self.machines = machines
        processor = Self.processorName()
        let names = Set(runs.joined().flatMap { $0.results.keys }).sorted()
        loads = names.map { name in
            let samples = runs.map { runs in
                runs.compactMap { run -> (rate: Double, time: Double)? in
                    guard let rate = run.results[name].flatMap(Double.init), let time = run.loads[name] else {
                        return nil
                    }
                    return (rate, time)
                }
            }
            return Row(
                load: name, operationsPerSecond: samples.map { Statistics.median($0.map(\.rate)) },
                microseconds: samples.map { samples in
                    Statistics.median(samples.map { $0.time / max($0.rate * Double(seconds), 1) }) * 1e6
                })
        }
    }

    private static func processorName() -> String {
        let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("model name") }
        return line?.split(separator: ":").last.map { $0.trimmingCharacters(in: .whitespaces) } ?? "unknown"
    }

    func text() -> String {
        var table = TextTable.measurements
        table.add("fio, operations/s", "", machines)
        for row in loads {
            table.add(row.load, "", cells(row.operationsPerSecond) { String(Int($0.rounded())) })
        }
        table.add("")
        table.add("CPU µs for an operation", "", machines)
        for row in loads { table.add(row.load, "", cells(row.microseconds, table.ratio)) }
        table.add("In brackets: as a multiple of the first machine's. Processor: \(processor)")
        return table.text
    }

    private func cells(_ values: [Double], _ format: (Double) -> String) -> [String] {
        values.enumerated().map { index, value in
            index == 0 ? format(value) : "\(format(value)) (\(String(format: "%.2f", value / values[0])))"
        }
    }
}
