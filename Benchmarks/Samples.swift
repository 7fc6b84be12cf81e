/// The measurements of a program on a machine.
struct Samples {
    let kernel: Kernel
    let machine: String
    /// CPU seconds of each round.
    var seconds: [Double] = []
    /// The guest's output, which must be the same in every round.
    private(set) var output: [String]?

    init(kernel: Kernel, machine: String) {
        self.kernel = kernel
        self.machine = machine
    }

    mutating func add(_ run: ProcessRun) throws {
        guard output == nil || output == run.lines else {
            throw BenchmarkError("\(kernel.name) on \(machine) gives \(run.lines), and before \(output ?? [])")
        }
        output = run.lines
        seconds.append(run.seconds)
    }

    var median: Double { Statistics.median(seconds) }
}

enum Statistics {
    static func median(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        guard !sorted.isEmpty else { return .nan }
        return (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
    }
}
