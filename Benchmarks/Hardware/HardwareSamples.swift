import Foundation

/// A monitor's cost at its guest's first instructions.
struct StartSamples {
    let monitor: String
    /// CPU seconds since the process's start.
    private(set) var seconds: [Double] = []
    private(set) var memory = ProcessMemory()

    init(monitor: String) {
        self.monitor = monitor
    }

    /// Measures at the guest's mark; the guest then halts.
    mutating func add(_ monitor: Monitor, _ program: String) throws {
        let process = try ObservedProcess(monitor.path, monitor.arguments(program), limit: 60)
        defer { process.end() }
        while let line = process.line() {
            guard line.hasSuffix("@") else { continue }
            // The mark's last byte and the vCPU's return to the guest belong to the cost.
            usleep(20_000)
            seconds.append(try process.seconds())
            memory = try process.residentMemory(guestSize: HardwareCommand.memory)
            return
        }
        throw BenchmarkError(
            "\(monitor.name) ended before the guest's first words:\n\(process.transcript.joined(separator: "\n"))")
    }
}

/// The wake-ups of a monitor's threads by a guest's notifications.
struct NotificationSample {
    /// Voluntary context switches for each notification, by thread name.
    let wakes: [String: Double]
    let seconds: Double

    init(_ monitor: Monitor, _ program: String) throws {
        let process = try ObservedProcess(monitor.path, monitor.arguments(program), limit: 300)
        var begun: (wakes: [String: Int], seconds: Double)?
        var result: (wakes: [String: Double], seconds: Double)?
        let count = Double(HardwarePrograms.notifications)
        while let line = process.line() {
            if line.hasSuffix("@begin") { begun = (try process.sleeps(), try process.seconds()) }
            if line.hasSuffix("@end"), let begun {
                let seconds = try process.seconds() - begun.seconds
                let wakes = try process.sleeps().map { name, sleeps in
                    (name, Double(sleeps - (begun.wakes[name] ?? 0)) / count)
                }
                result = (Dictionary(uniqueKeysWithValues: wakes), seconds / count)
                break
            }
        }
        process.end()
        guard let result else {
            throw BenchmarkError("\(monitor.name): the driver of a virtio device says \(process.transcript)")
        }
        (wakes, seconds) = result
    }
}
