/// What was measured of one program on one machine.
struct Samples {
    let kernel: Kernel
    let machine: String
    /// CPU seconds, one a round.
    var seconds: [Double] = []
    /// What the guest printed: the same in every round, or the machine is wrong.
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
