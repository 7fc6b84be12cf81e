import Foundation
import GuestToolchain
import Testing

@testable import Aerie

/// A value with mutating functions that an expectation can call.
private final class Lender {
    private var loan: MemoryLoan

    init(calm: UInt64) { loan = MemoryLoan(calm: calm) }

    var lent: UInt64 { loan.lent }

    func look(now: UInt64, level: PressureLevel, guest: MemoryLoan.Guest?) -> Bool {
        loan.look(now: now, level: level, guest: guest)
    }
}

/// As `Lender`.
private final class Watcher {
    private var watch: IdleWatch

    init(idleTime: UInt64, now: UInt64, used: UInt64) { watch = IdleWatch(idleTime: idleTime, now: now, used: used) }

    var nextLook: UInt64 { watch.nextLook }

    func look(now: UInt64, used: UInt64) -> Bool { watch.look(now: now, used: used) }
}

@Suite("Memory policies") struct MemoryPolicyTests {
    private static let second: UInt64 = 1_000_000_000

    private static func guest(available: UInt64, outstanding: UInt64 = 0) -> MemoryLoan.Guest {
        MemoryLoan.Guest(allowed: 512 << 20, outstanding: outstanding << 20, available: available << 20)
    }

    /// A guest of 512M that has lent `count` steps of 64M.
    private static func loan(steps count: Int) -> Lender {
        let loan = Lender(calm: 10 * second)
        for _ in 0..<count { _ = loan.look(now: 0, level: .high, guest: guest(available: 500)) }
        return loan
    }

    @Test("A policy is written as fixed words, alone or together")
    func words() throws {
        #expect(try MemoryPolicy(option: "pressure").lendsUnderPressure)
        #expect(try MemoryPolicy(option: "pressure").idleTime == nil)
        #expect(try MemoryPolicy(option: "idle").idleTime == 300)
        let both = try MemoryPolicy(option: "pressure,idle=10")
        #expect((both.lendsUnderPressure, both.idleTime) == (true, 10))
        for wrong in ["", "none", "idle=", "idle=9", "idle=86401", "idle=+60", "pressure,", "pressure,fixed"] {
            let error = #expect(throws: AerieError.self) { try MemoryPolicy(option: wrong) }
            #expect(error?.category == .usage)
        }
        var configuration = Configuration()
        configuration.memoryPolicy = MemoryPolicy()
        configuration.memoryPolicy?.idleTime = 5
        #expect(throws: AerieError.self) { try configuration.validate() }
    }

    @Test("Under pressure a guest lends step by step, and keeps its reserve")
    func lending() {
        let loan = Lender(calm: 10 * Self.second)
        #expect(!loan.look(now: 0, level: .high, guest: nil))
        for (available, outstanding, lent) in [(400, 0, 64), (400, 64, 128), (130, 0, 192), (80, 0, 208)] {
            let guest = Self.guest(available: UInt64(available), outstanding: UInt64(outstanding))
            #expect(loan.look(now: 0, level: .high, guest: guest))
            #expect(loan.lent == UInt64(lent) << 20)
        }
        // The reserve is all that it has, and then less than what the balloon is about to take.
        #expect(!loan.look(now: 0, level: .high, guest: Self.guest(available: 64)))
        #expect(!loan.look(now: 0, level: .high, guest: Self.guest(available: 128, outstanding: 64)))
        #expect(!loan.look(now: 0, level: .steady, guest: Self.guest(available: 400)))
    }

    @Test("A guest keeps a quarter of its memory, whatever it says that it has")
    func liar() {
        let loan = Lender(calm: 10 * Self.second)
        for _ in 0..<20 {
            let guest = MemoryLoan.Guest(allowed: 512 << 20, outstanding: 0, available: .max)
            _ = loan.look(now: 0, level: .high, guest: guest)
        }
        #expect(loan.lent == 384 << 20)
        // A machine of 32M has nothing to lend.
        let small = Lender(calm: 0)
        #expect(!small.look(now: 0, level: .high, guest: .init(allowed: 32 << 20, outstanding: 0, available: .max)))
    }

    @Test("What was lent comes back step by step when the pressure has been low for a while")
    func giving() {
        let loan = Self.loan(steps: 3)
        #expect(!loan.look(now: 1 * Self.second, level: .low, guest: Self.guest(available: 200)))
        // The pressure was not low at this moment: the time begins anew.
        #expect(!loan.look(now: 5 * Self.second, level: .steady, guest: Self.guest(available: 200)))
        #expect(!loan.look(now: 6 * Self.second, level: .low, guest: Self.guest(available: 200)))
        #expect(!loan.look(now: 15 * Self.second, level: .low, guest: Self.guest(available: 200)))
        #expect(loan.look(now: 16 * Self.second, level: .low, guest: Self.guest(available: 200)))
        #expect(loan.lent == 128 << 20)
        // Without figures too, in the least steps.
        #expect(loan.look(now: 17 * Self.second, level: .low, guest: nil))
        #expect(loan.lent == 112 << 20)
        for second in 18..<20 {
            #expect(loan.look(now: UInt64(second) * Self.second, level: .low, guest: Self.guest(available: 300)))
        }
        #expect(loan.lent == 0)
        #expect(!loan.look(now: 20 * Self.second, level: .low, guest: Self.guest(available: 400)))
    }

    @Test("A guest that runs short itself gets memory back under pressure, too")
    func ownNeed() {
        let loan = Self.loan(steps: 4)
        #expect(!loan.look(now: 0, level: .high, guest: Self.guest(available: 32)))
        #expect(loan.look(now: 0, level: .high, guest: Self.guest(available: 31)))
        #expect(loan.lent == 192 << 20)
    }

    @Test("PSI counts before the memory that is left, which counts without PSI")
    func levels() {
        typealias Case = (isTriggered: Bool, waited: UInt64?, available: UInt64?, level: PressureLevel)
        let cases: [Case] = [
            (true, 0, 90, .high), (false, 10, 90, .high), (false, 9, 90, .steady), (false, 0, 90, .low),
            (false, 0, 9, .steady), (false, 0, nil, .low), (false, nil, 9, .high), (false, nil, 10, .steady),
            (false, nil, 20, .low), (false, nil, nil, .steady),
        ]
        for (isTriggered, waited, available, level) in cases {
            #expect(MemoryPressure.level(isTriggered: isTriggered, waited: waited, available: available) == level)
        }
    }

    @Test("The files of the host are read, and other texts have no numbers")
    func files() throws {
        let directory = TemporaryDirectory()
        let text = "MemTotal:       1000 kB\nMemFree: 1 kB\nMemAvailable:   90 kB\nSwapTotal:  0 kB\n"
        let path = try directory.file("meminfo", Data(text.utf8))
        let pressure = MemoryPressure(
            MemoryFiles(pressure: [directory.path("none")], meminfo: path, interval: 5, step: 1))
        #expect(pressure.isKnown)
        #expect(pressure.interval == 5)
        #expect(pressure.triggers == [])
        #expect(!pressure.hasSwap)
        #expect(pressure.level(now: 0, isTriggered: false) == .high)
        let unknown = MemoryPressure(
            MemoryFiles(pressure: [], meminfo: directory.path("none"), interval: 5, step: 1))
        #expect(!unknown.isKnown)
        let line = Array("some avg10=1.00 avg60=0.50 avg300=0.00 total=4711\n".utf8)
        #expect(MemoryPressure.number(behind: "total=", in: line) == 4711)
        for wrong in ["", "total", "total=", "total=x", "total=12345678901234567"] {
            #expect(MemoryPressure.number(behind: "total=", in: Array(wrong.utf8)) == nil)
        }
        // The kernel's own file, where it is there, has a trigger or is looked at.
        let host = MemoryPressure(.host)
        #expect(host.isKnown)
        #expect(host.level(now: .max, isTriggered: true) == .high)
    }

    @Test("A machine is idle once after each time of work")
    func idleness() {
        let watch = Watcher(idleTime: 40 * Self.second, now: 0, used: 0)
        #expect(watch.nextLook == 10 * Self.second)
        // 6% of a processor is work, and 5% is none.
        #expect(!watch.look(now: 10 * Self.second, used: 600_000_000))
        #expect(!watch.look(now: 20 * Self.second, used: 1_100_000_000))
        #expect(!watch.look(now: 40 * Self.second, used: 1_100_000_000))
        #expect(watch.look(now: 50 * Self.second, used: 1_100_000_000))
        #expect(!watch.look(now: 60 * Self.second, used: 1_100_000_000))
        #expect(!watch.look(now: 70 * Self.second, used: 9_000_000_000))
        #expect(!watch.look(now: 100 * Self.second, used: 9_000_000_000))
        #expect(watch.look(now: 110 * Self.second, used: 9_000_000_000))
    }

    @Test("A machine without a balloon lends nothing, and says so")
    func withoutBalloon() throws {
        let firmware = try SmallFirmware.sleeping()
        defer { withExtendedLifetime(firmware) {} }
        var configuration = firmware.configuration
        configuration.memoryPolicy = try MemoryPolicy(option: "pressure,idle")
        let machine = try VirtualMachine(configuration, console: RecordingConsole())
        try machine.start()
        machine.kill()
        #expect(machine.wait() == .stopped)
        configuration.networkCards = (0..<7).map { NetworkCard(network: .segment("policy-test-\($0)")) }
        let error = #expect(throws: AerieError.self) { try VirtualMachine(configuration, console: RecordingConsole()) }
        #expect(error?.advice == "use the transport pci")
    }
}
