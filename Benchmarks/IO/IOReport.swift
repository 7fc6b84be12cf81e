import Foundation
import TextTables

/// Units of work in a second and CPU time for a unit, on each machine; medians of the rounds.
struct IOReport: Report {
    private struct Row: Encodable {
        let load: String
        /// One for each machine.
        let unitsPerSecond: [Double]
        /// CPU microseconds of the machine's processes for a unit: all work of the guest, the start of its programs included.
        let microseconds: [Double]
    }

    private let title: String
    private let unit: String
    private let processor: String
    private let machines: [String]
    private let loads: [Row]

    /// - Parameters:
    ///   - title: what the results are.
    ///   - unit: of work, whose CPU time is shown.
    ///   - count: the units of a load, by its name and its result.
    init(
        _ title: String, unit: String, machines: [String], runs: [[MarkedRun]], count: (String, Double) -> Double
    ) {
        self.title = title
        self.unit = unit
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
                load: name, unitsPerSecond: samples.map { Statistics.median($0.map(\.rate)) },
                microseconds: samples.map { samples in
                    Statistics.median(samples.map { $0.time / max(count(name, $0.rate), 1) }) * 1e6
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
        table.add(title, "", machines)
        for row in loads {
            table.add(row.load, "", cells(row.unitsPerSecond) { String(Int($0.rounded())) })
        }
        table.add("")
        table.add("CPU µs for a unit: \(unit)", "", machines)
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
