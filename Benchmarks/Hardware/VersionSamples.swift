import TextTables

/// The costs of exits and notifications, and the speed of user code, on one version of Aerie.
struct VersionSamples {
    let monitor: Monitor
    private(set) var ports = Pair()
    private(set) var registers = Pair()
    private(set) var user = Pair()
    private var notifications: [NotificationSample] = []

    /// The same work on Aerie and on its peer, in seconds of CPU.
    struct Pair {
        fileprivate(set) var ours: [Double] = []
        fileprivate(set) var theirs: [Double] = []

        var ratio: Double { Statistics.median(ours) / Statistics.median(theirs) }
        /// Aerie's time for one exit.
        var each: Double { Statistics.median(ours) / Double(HardwarePrograms.exits) }
        /// The peer's.
        var peersEach: Double { Statistics.median(theirs) / Double(HardwarePrograms.exits) }
    }

    init(_ monitor: Monitor) {
        self.monitor = monitor
    }

    /// One round: the monitor and its peers run alternately.
    mutating func add(_ programs: HardwarePrograms) throws {
        try addExits(programs)
        try addUserCode(programs)
        notifications.append(try NotificationSample(monitor, programs.bells))
    }

    /// Each monitor's time for the guest without exits is subtracted.
    private mutating func addExits(_ programs: HardwarePrograms) throws {
        func seconds(_ program: HardwarePrograms.ExitProgram) throws -> (ours: Double, theirs: Double) {
            (
                try ProcessRun(monitor.path, monitor.arguments(program.guest)).seconds,
                try ProcessRun(programs.monitor, [program.flat]).seconds
            )
        }
        let nothing = try seconds(programs.noExits)
        let ports = try seconds(programs.ports)
        let registers = try seconds(programs.registers)
        self.ports.ours.append(ports.ours - nothing.ours)
        self.ports.theirs.append(ports.theirs - nothing.theirs)
        self.registers.ours.append(registers.ours - nothing.ours)
        self.registers.theirs.append(registers.theirs - nothing.theirs)
    }

    private mutating func addUserCode(_ programs: HardwarePrograms) throws {
        let nothing = try ProcessRun(monitor.path, monitor.arguments(programs.noUser)).seconds
        let guest = try ProcessRun(monitor.path, monitor.arguments(programs.user))
        let host = try ProcessRun(programs.hostUser, [])
        guard guest.lines == host.lines else {
            throw BenchmarkError("user code computes \(guest.lines) in the guest, and \(host.lines) on the host")
        }
        user.ours.append(guest.seconds - nothing)
        user.theirs.append(host.seconds)
    }

    // MARK: Results

    /// Wake-ups of each thread for a notification. Threads that are hardly ever woken are left out.
    var wakes: [String: Double] {
        let names = Set(notifications.flatMap(\.wakes.keys))
        let counts = names.map { name in (name, Statistics.median(notifications.map { $0.wakes[name] ?? 0 })) }
        return Dictionary(uniqueKeysWithValues: counts.filter { $0.1 >= 0.01 })
    }

    /// CPU seconds for a notification.
    var notificationSeconds: Double { Statistics.median(notifications.map(\.seconds)) }

    /// Adds this version's exits and user code to the report.
    func add(to table: inout TextTable) {
        table.add("exits, µs of CPU each", "", [monitor.name, "C on /dev/kvm", "ratio"])
        for (name, pair) in [("port", ports), ("register in memory", registers)] {
            table.add(
                name, "",
                [table.ratio(pair.each * 1e6), table.ratio(pair.peersEach * 1e6), table.seconds(pair.ratio)],
                note: "goal 1.1")
        }
        table.add("")
        table.add("user code, s", "", [monitor.name, "host", "speed"])
        table.add(
            "core, in ring 3", "",
            [
                table.seconds(Statistics.median(user.ours)), table.seconds(Statistics.median(user.theirs)),
                table.seconds(1 / user.ratio),
            ], note: "goal 0.97")
        table.add("")
    }
}
