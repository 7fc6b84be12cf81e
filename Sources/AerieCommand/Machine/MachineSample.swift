internal import Aerie
internal import ControlAPI
internal import HostSystem
internal import Runtime

/// What a machine had used of the host at one moment.
struct MachineSample {
    let machine: Machine
    /// Nanoseconds of the monotonic clock.
    let time: UInt64
    let usage: ProcessUsage
    /// Nil for a machine that does not answer, because it starts or ends.
    let memory: MemoryStatistics?
    let devices: DeviceStatistics?

    /// Nil when the machine has no process, or ends meanwhile.
    init?(_ machine: Machine) {
        let status = machine.status
        guard status.state == .running || status.state == .paused, status.process > 0,
            let usage = ProcessUsage(of: status.process)
        else { return nil }
        self.machine = machine
        self.usage = usage
        time = HostClock.monotonic()
        let answer = try? ControlClient(machine).call(.statistics)
        memory = try? answer?["memory"]?.decode(MemoryStatistics.self)
        devices = try? answer?["devices"]?.decode(DeviceStatistics.self)
    }
}
