import Machine
import PlatformDevices
import SavedState
import TestSupport
import Testing

/// The controller of wires that interrupts harts directly (Advanced Interrupt Architecture 1.0, sections 4.5.16, 4.7 and 4.8).
@Suite struct APLICDirectTests {
    private let sink = RecordingSink()
    private let aplic: APLIC
    private let root: APLICDomain
    private let child: APLICDomain
    /// Lines of the machine level have the numbers of harts, and those of the supervisor level this much more.
    private static let supervisor = 100

    init() {
        (aplic, root, child) = Self.make(sink)
    }

    private static func make(_ sink: RecordingSink, harts: Int = 4) -> (APLIC, APLICDomain, APLICDomain) {
        let aplic = APLIC(
            sources: 96, machine: (0..<harts).map(sink.line),
            supervisor: (0..<harts).map { sink.line(Self.supervisor + $0) })
        return (
            aplic, APLICDomain(name: "root", of: aplic, level: .machine),
            APLICDomain(name: "child", of: aplic, level: .supervisor)
        )
    }

    private enum Mode {
        static let detached: UInt64 = 1
        static let rising: UInt64 = 4
        static let high: UInt64 = 6
        static let low: UInt64 = 7
        static let delegated: UInt64 = 1 << 10
    }

    private static let delivery: UInt64 = 0
    private static let force: UInt64 = 4
    private static let threshold: UInt64 = 8
    private static let top: UInt64 = 0x18
    private static let claim: UInt64 = 0x1C

    private func read(_ domain: APLICDomain, _ offset: UInt64) -> UInt64 { domain.read(offset: offset, size: 4) }
    private func write(_ domain: APLICDomain, _ offset: UInt64, _ value: UInt64) {
        domain.write(offset: offset, size: 4, value: value)
    }
    /// A register of a hart's interface.
    private func interface(_ hart: UInt64, _ register: UInt64) -> UInt64 { 0x4000 + 32 * hart + register }
    private func claims(_ domain: APLICDomain, _ hart: UInt64) -> UInt64 { read(domain, interface(hart, Self.claim)) }

    /// Lets the interrupts of a domain out to a hart.
    private func open(_ hart: UInt64, in domain: APLICDomain) {
        write(domain, 0, 1 << 8)
        write(domain, interface(hart, Self.delivery), 1)
    }

    private func enable(
        _ source: UInt64, _ mode: UInt64, hart: UInt64 = 0, priority: UInt64 = 1, in domain: APLICDomain
    ) {
        write(domain, 4 * source, mode)
        write(domain, 0x3000 + 4 * source, hart << 18 | priority)
        write(domain, 0x1EDC, source)
    }

    @Test func theConfigurationSaysThatThereAreNoMessages() {
        for domain in [root, child] {
            #expect(read(domain, 0) == 0x8000_0000)
            write(domain, 0, .max)
            #expect(read(domain, 0) == 0x8000_0100)
            for offset in [0x1BC0, 0x1BC4, 0x1BC8, 0x1BCC, 0x3000] as [UInt64] {
                write(domain, offset, .max)
                #expect(read(domain, offset) == 0)
            }
        }
    }

    @Test func aTargetHasAHartAndAPriorityThatIsNeverZero() {
        let target: UInt64 = 0x3000 + 4 * 7
        write(root, target, .max)
        #expect(read(root, target) == 0)
        write(root, 4 * 7, Mode.detached)
        #expect(read(root, target) == 1)
        write(root, target, .max)
        #expect(read(root, target) == 0xFFFC_00FF)
        write(root, target, 2 << 18 | 0x100)
        #expect(read(root, target) == 2 << 18 | 1)
        write(root, 4 * 7, 0)
        #expect(read(root, target) == 0)
    }

    @Test func theLowestPriorityNumberIsTheBestAndOfEqualOnesTheLowestSource() {
        open(1, in: root)
        for (source, priority) in [(40, 5), (12, 200), (60, 3), (33, 3)] as [(UInt64, UInt64)] {
            enable(source, Mode.detached, hart: 1, priority: priority, in: root)
            write(root, 0x1CDC, source)
        }
        #expect(sink.high == [1])
        #expect(read(root, interface(1, Self.top)) == 33 << 16 | 3)
        let best: [UInt64] = [33 << 16 | 3, 60 << 16 | 3, 40 << 16 | 5, 12 << 16 | 200, 0]
        for expected in best { #expect(claims(root, 1) == expected) }
        #expect(sink.high == [])
        #expect(claims(root, 0) == 0)
    }

    @Test func aThresholdHoldsItsOwnNumberAndHigherOnesBack() {
        open(0, in: root)
        enable(9, Mode.detached, priority: 4, in: root)
        write(root, 0x1CDC, 9)
        for (threshold, passes) in [(0, true), (4, false), (5, true), (1, false), (255, true)] as [(UInt64, Bool)] {
            write(root, interface(0, Self.threshold), threshold)
            #expect(read(root, interface(0, Self.threshold)) == threshold)
            #expect(sink.high == (passes ? [0] : []), "\(threshold)")
            #expect(read(root, interface(0, Self.top)) == (passes ? 9 << 16 | 4 : 0))
        }
        write(root, interface(0, Self.threshold), 4)
        #expect(claims(root, 0) == 0)
        #expect(read(root, 0x1C00) == 1 << 9)
        write(root, interface(0, Self.threshold), 0x1_0005)
        #expect(read(root, interface(0, Self.threshold)) == 5)
    }

    @Test func nothingReachesAHartWithoutTheDomainsAndItsOwnEnable() {
        enable(9, Mode.detached, in: root)
        write(root, 0x1CDC, 9)
        #expect(read(root, interface(0, Self.top)) == 9 << 16 | 1)
        write(root, interface(0, Self.delivery), 1)
        #expect(sink.high == [])
        write(root, 0, 1 << 8)
        #expect(sink.high == [0])
        write(root, interface(0, Self.delivery), 0)
        #expect(sink.high == [])
        open(0, in: root)
        write(root, 0, 0)
        #expect(sink.high == [])
        // One bit.
        write(root, interface(0, Self.delivery), 2)
        #expect(read(root, interface(0, Self.delivery)) == 0)
    }

    @Test func theDomainsOfBothLevelsSignalLinesOfTheirOwn() {
        aplic.delegateAll()
        #expect(read(root, 0) == 0x8000_0100)
        for source in 1...96 as ClosedRange<UInt64> { #expect(read(root, 4 * source) == Mode.delegated) }
        open(2, in: child)
        enable(96, Mode.high, hart: 2, in: child)
        aplic.setInterrupt(96, level: true)
        #expect(sink.high == [Self.supervisor + 2])
        #expect(claims(root, 2) == 0)
        #expect(claims(child, 2) == 96 << 16 | 1)
    }

    @Test func aLevelIsPendingAsLongAsItIsHighWhateverSoftwareDoes() {
        open(0, in: root)
        enable(10, Mode.high, in: root)
        write(root, 0x1CDC, 10)
        #expect(read(root, 0x1C00) == 0)
        aplic.setInterrupt(10, level: true)
        #expect(claims(root, 0) == 10 << 16 | 1)
        #expect(claims(root, 0) == 10 << 16 | 1)
        write(root, 0x1DDC, 10)
        write(root, 0x1D00, 1 << 10)
        #expect(sink.high == [0])
        aplic.setInterrupt(10, level: false)
        #expect(sink.high == [])
        #expect(claims(root, 0) == 0)
        #expect(sink.raises(0) == 1)
        // The other way round, from its configuration on.
        enable(11, Mode.low, in: root)
        #expect(claims(root, 0) == 11 << 16 | 1)
        aplic.setInterrupt(11, level: true)
        #expect(sink.high == [])
    }

    @Test func anEdgeIsClaimedOnce() {
        open(0, in: root)
        enable(3, Mode.rising, in: root)
        aplic.setInterrupt(3, level: true)
        aplic.setInterrupt(3, level: false)
        #expect(sink.high == [0])
        #expect(claims(root, 0) == 3 << 16 | 1)
        #expect(sink.high == [])
        aplic.setInterrupt(3, level: true)
        #expect(sink.high == [0])
        write(root, 0x1DDC, 3)
        #expect(sink.high == [])
    }

    @Test func aForcedInterruptEndsWithTheClaimOfNone() {
        write(root, interface(3, Self.force), 1)
        #expect(sink.high == [])
        open(3, in: root)
        #expect(sink.high == [3])
        enable(5, Mode.detached, hart: 3, in: root)
        write(root, 0x1CDC, 5)
        #expect(claims(root, 3) == 5 << 16 | 1)
        #expect(sink.high == [3])
        #expect(read(root, interface(3, Self.top)) == 0)
        #expect(read(root, interface(3, Self.force)) == 1)
        #expect(claims(root, 3) == 0)
        #expect(sink.high == [])
        #expect(read(root, interface(3, Self.force)) == 0)
    }

    @Test func placesThatAreNoRegistersReadAsZeroAndDoNothing() {
        for offset in [interface(4, 0), interface(4, Self.claim), interface(0, 0xC), interface(0, 0x10), 0x7FFC] {
            write(root, offset, 1)
            #expect(read(root, offset) == 0)
        }
        for (offset, size) in [(interface(0, 0), 8), (interface(0, 0), 1), (interface(0, 2), 4)] as [(UInt64, Int)] {
            root.write(offset: offset, size: size, value: 1)
            #expect(root.read(offset: offset, size: size) == 0)
        }
        #expect(read(root, interface(0, Self.delivery)) == 0)
        // A target that is no hart.
        open(0, in: root)
        enable(8, Mode.detached, hart: 4, in: root)
        write(root, 0x1CDC, 8)
        #expect(sink.high == [])
    }

    @Test func theStateIsSavedRestoredAndChecked() throws {
        aplic.delegateAll()
        open(1, in: child)
        enable(96, Mode.high, hart: 1, priority: 9, in: child)
        enable(5, Mode.detached, hart: 1, priority: 3, in: child)
        write(child, 0x1CDC, 5)
        write(child, interface(1, Self.threshold), 20)
        write(child, interface(2, Self.force), 1)
        write(root, 4, Mode.detached)
        aplic.setInterrupt(96, level: true)
        let records = [try root.save(), try child.save()]
        let copySink = RecordingSink()
        let (_, copyRoot, copyChild) = Self.make(copySink)
        for (domain, record) in zip([copyRoot, copyChild], records) {
            try domain.restore(try SavedRecordCopy.throughBytes(record))
            #expect(try domain.save() == record)
        }
        #expect(copySink.high == [])
        for domain in [copyRoot, copyChild] { domain.start() }
        #expect(copySink.high == [Self.supervisor + 1])
        #expect(claims(copyChild, 1) == 5 << 16 | 3)
        #expect(claims(copyChild, 1) == 96 << 16 | 9)
        #expect(read(copyChild, interface(2, Self.force)) == 1)
        for domain in [root, child] { try SavedRecordCopy.expectEveryFieldIsChecked(of: domain) }
        for (name, place, value) in [
            ("configurations", 0, 1), ("configurations", 1, 1), ("targets", 2, 5), ("targets", 5, 1 << 18),
            ("deliveries", 0, 2), ("forces", 3, 2), ("thresholds", 1, 256), ("generated", 0, 1), ("addresses", 1, 1),
        ] as [(String, Int, UInt64)] {
            let record = try SavedRecordCopy.changing(try child.save(), name, at: place, to: value)
            #expect(throws: SavedStateError.self, "\(name) \(place)") { try child.restore(record) }
        }
        // What is pending of a level comes from the wire.
        let stuck = try SavedRecordCopy.changing(try child.save(), "pending", at: 3, to: 0)
        try child.restore(stuck)
        #expect(read(child, 0x1C0C) == 1)
        // Machines with messages, or with other harts, are other machines.
        let (_, small, _) = Self.make(copySink, harts: 2)
        #expect(throws: SavedStateError.self) { try small.restore(records[0]) }
        let messages = APLICDomain(
            name: "root", of: APLIC(sources: 96, guestIndexBits: 0, messages: IMSICRouter([])), level: .machine)
        #expect(throws: SavedStateError.self) { try messages.restore(records[0]) }
        #expect(throws: SavedStateError.self) { try root.restore(try messages.save()) }
        for domain in [root, child] { domain.reset() }
        for domain in [root, child] { domain.start() }
        #expect(sink.high == [])
        #expect(read(child, interface(1, Self.delivery)) == 0)
    }

    @Test func hostileAccessesDoNoHarm() throws {
        var random = SeededGenerator(seed: 5)
        let places: [UInt64] = [
            0, 4, 0x100, 0x1C00, 0x1CDC, 0x1DDC, 0x1E00, 0x2000, 0x3000, 0x3100, 0x4000, 0x4018, 0x407C,
        ]
        for domain in [root, child, root, child] {
            random.attack(domain, size: APLIC.size, hotspots: places, accesses: 5000)
            for source in 1...96 { aplic.setInterrupt(source, level: random.next() % 2 == 0) }
        }
        for domain in [root, child] { try domain.restore(try domain.save()) }
        // Only lines of harts change.
        #expect(sink.high.allSatisfy { (0..<4).contains($0 % Self.supervisor) })
    }
}
