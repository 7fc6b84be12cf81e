import Foundation

/// What a monitor has spent when its guest executes its first instructions.
struct StartSamples {
    let monitor: String
    /// CPU seconds from the process's start on.
    private(set) var seconds: [Double] = []
    private(set) var memory = ProcessMemory()

    init(monitor: String) {
        self.monitor = monitor
    }

    /// The guest says so, and halts for good.
    mutating func add(_ monitor: Monitor, _ program: String) throws {
        let process = try ObservedProcess(monitor.path, monitor.arguments(program), limit: 60)
        defer { process.end() }
        while let line = process.line() {
            guard line.hasSuffix("@") else { continue }
            // What comes after the mark belongs to it: the mark's end, and the thread's way back into the guest.
            usleep(20_000)
            seconds.append(try process.seconds())
            memory = try process.residentMemory(guestSize: HardwareCommand.memory)
            return
        }
        throw BenchmarkError(
            "\(monitor.name) ended before the guest's first words:\n\(process.transcript.joined(separator: "\n"))")
    }
}

/// What a guest's notifications of a device wake in the monitor.
struct NotificationSample {
    /// How often threads slept, and so were woken, for each notification, by their names.
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
