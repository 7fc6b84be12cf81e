import ArgumentParser
import Foundation
import GuestToolchain

/// Forks, snapshots, restores, instant starts and migration of an idle Debian guest.
struct SnapshotsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "snapshots",
        abstract: "Forks, snapshots, restores and live migration of a Debian guest of 512 MB, beside QEMU's migration.",
        discussion: """
            Times are by the wall clock, and contain the start of the program aerie. Pauses are what the machine's log says; the downtime \
            of a migration is what each sender reports. The benchmark has machines and snapshots of its own, which it removes.
            """)

    @OptionGroup var program: AerieOption

    @Option(help: "The image to boot.")
    var image = "debian"

    @Option(help: "How often each measure is taken.")
    var rounds = 5

    @Option(help: "How many copies run at the same time.")
    var forks = 20

    @Option(help: "Seconds until the memory of an idle copy is measured.")
    var settle = 10.0

    @Flag(inversion: .prefixedNo, help: "Measure QEMU as well.")
    var qemu = true

    @Flag(help: "Print the measurements as JSON.")
    var json = false

    func validate() throws {
        if rounds < 1 { throw ValidationError("--rounds \(rounds): at least one is needed") }
        if !(1...1000).contains(forks) { throw ValidationError("--forks \(forks): it is not from 1 to 1000") }
        if settle < 0 { throw ValidationError("--settle \(settle): seconds are needed") }
    }

    func run() throws {
        let user = try SnapshotUser(aerie: try program.path)
        defer { user.remove() }
        var report = SnapshotsReport()
        complain("instant starts")
        try instantStarts(user, &report)
        complain("a guest that idles")
        try user.run("run", "--detach", "--name", "base", "--memory", "512M", "--log-level", "info", image)
        try user.run("exec", "base", "true")
        // What its system begins after the shell is over then, and the code for that generated.
        sleep(10)
        complain("forks")
        try forks(user, &report)
        complain("snapshots and restores")
        try snapshots(user, &report)
        complain("migration")
        try migrations(user, &report)
        if qemu, let path = HostProgram.find("qemu-system-riscv64") {
            complain("QEMU's migration")
            let files = try DebianFiles(aerie: user.aerie, image: image)
            let result = try QEMUMigration(path: path, files: files).run(rounds: rounds)
            report.qemuMigration = result
        }
        print(json ? try report.json() : report.text())
    }

    private func median(_ body: () throws -> Double) rethrows -> Double {
        Statistics.median(try (0..<rounds).map { _ in try body() })
    }

    private func instantStarts(_ user: SnapshotUser, _ report: inout SnapshotsReport) throws {
        // The first one boots, and makes the snapshot.
        try user.run("run", image, "true")
        report.instantStart = try median { try user.seconds("run", image, "true") }
    }

    private func forks(_ user: SnapshotUser, _ report: inout SnapshotsReport) throws {
        report.forkToExec = try median {
            let time = try user.seconds("fork", "base", "--name", "one")
            let exec = try user.seconds("exec", "one-1", "true")
            try user.run("rm", "--force", "one-1")
            return time + exec
        }
        report.forkPause = Statistics.median(try user.pauses(of: "base"))
        let start = ContinuousClock.now
        try user.run("fork", "base", "--name", "many", "--count", "\(forks)")
        for number in 1...forks { try user.run("exec", "many-\(number)", "true") }
        report.forkCount = forks
        report.manyForks = (ContinuousClock.now - start).seconds
        usleep(UInt32(min(settle, 3600) * 1e6))
        report.copyMemory = Double(try user.privateMemory(of: "many-1")) / 1048576
        try user.run(["rm", "--force"] + (1...forks).map { "many-\($0)" })
    }

    private func snapshots(_ user: SnapshotUser, _ report: inout SnapshotsReport) throws {
        // The machine's log takes five messages of a kind at once, and another one each ten seconds.
        sleep(50)
        let before = try user.pauses(of: "base").count
        report.snapshotCreate = try median {
            let time = try user.seconds("snapshot", "create", "base", "saved")
            try user.run("snapshot", "rm", "saved")
            return time
        }
        report.snapshotPause = Statistics.median(Array(try user.pauses(of: "base").dropFirst(before)))
        try user.run("snapshot", "create", "base", "saved")
        var (starts, execs): ([Double], [Double]) = ([], [])
        report.restore = try median {
            let start = try user.seconds(toStart: "again", "restore", "saved", "--name", "again")
            starts.append(start.running)
            execs.append(start.whole + (try user.seconds("exec", "again", "true")))
            try user.run("rm", "--force", "again")
            return start.whole
        }
        report.restoreToRunning = Statistics.median(starts)
        report.restoreToExec = Statistics.median(execs)
    }

    private func migrations(_ user: SnapshotUser, _ report: inout SnapshotsReport) throws {
        report.idleMigration = try migration(user)
        // 20 MB ten times a second.
        try user.run(
            "exec", "base", "sh", "-c",
            "while :; do dd if=/dev/zero of=/dev/shm/w bs=1M count=20 2>/dev/null; sleep 0.1; done >/dev/null &")
        report.busyMigration = try migration(user)
        report.postCopyMigration = try migration(user, ["--post-copy", "always"])
    }

    private func migration(_ user: SnapshotUser, _ options: [String] = []) throws -> SnapshotsReport.Migration {
        var results: [SnapshotsReport.Migration] = []
        for _ in 0..<rounds { results.append(try user.migrate("base", options)) }
        return SnapshotsReport.Migration(
            seconds: Statistics.median(results.map(\.seconds)), downtime: Statistics.median(results.map(\.downtime)),
            megabytes: Statistics.median(results.map(\.megabytes)))
    }
}
