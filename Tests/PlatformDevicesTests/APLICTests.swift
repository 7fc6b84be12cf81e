import Machine
import PlatformDevices
import SavedState
import Synchronization
import TestSupport
import Testing

/// The controller of wires that sends messages (Advanced Interrupt Architecture 1.0, chapter 4).
@Suite struct APLICTests {
    /// Keeps messages.
    private final class Messages: MessageSink {
        private let all = Mutex<[InterruptMessage]>([])

        func send(_ message: InterruptMessage) { all.withLock { $0.append(message) } }

        /// Those since the last time.
        func taken() -> [InterruptMessage] {
            all.withLock { all in
                defer { all = [] }
                return all
            }
        }
    }

    private let messages = Messages()
    private let aplic: APLIC
    private let root: APLICDomain
    private let child: APLICDomain

    init() {
        aplic = APLIC(sources: 96, guestIndexBits: 3, messages: messages)
        root = APLICDomain(name: "root", of: aplic, level: .machine)
        child = APLICDomain(name: "child", of: aplic, level: .supervisor)
    }

    private enum Mode {
        static let detached: UInt64 = 1
        static let rising: UInt64 = 4
        static let falling: UInt64 = 5
        static let high: UInt64 = 6
        static let low: UInt64 = 7
        static let delegated: UInt64 = 1 << 10
    }

    private func read(_ domain: APLICDomain, _ offset: UInt64) -> UInt64 { domain.read(offset: offset, size: 4) }
    private func write(_ domain: APLICDomain, _ offset: UInt64, _ value: UInt64) {
        domain.write(offset: offset, size: 4, value: value)
    }
    private func pending(_ domain: APLICDomain, _ source: UInt64) -> Bool {
        read(domain, 0x1C00 + source / 32 * 4) >> (source % 32) & 1 == 1
    }
    private func message(_ address: UInt64, _ data: UInt32) -> InterruptMessage {
        InterruptMessage(address: address, data: data)
    }

    /// Gives a source a mode and a target, and lets its interrupts out.
    private func enable(_ source: UInt64, _ mode: UInt64, target: UInt64, in domain: APLICDomain) {
        write(domain, 0, 1 << 8)
        write(domain, 4 * source, mode)
        write(domain, 0x3000 + 4 * source, target)
        write(domain, 0x1EDC, source)
    }

    @Test func atASupervisorsStartItsDomainHasAllSourcesAndTheAddressesAreFixed() {
        aplic.delegateAll(machine: 0x2400_0000, supervisor: 0x2800_0000, hartIndexBits: 2)
        for source in 1...96 as ClosedRange<UInt64> { #expect(read(root, 4 * source) == Mode.delegated) }
        #expect(read(root, 0x1BC0) == 0x2_4000)
        #expect(read(root, 0x1BC4) == 0x8000_2000)
        #expect(read(root, 0x1BC8) == 0x2_8000)
        #expect(read(root, 0x1BCC) == 3 << 20)
        for offset in [0x1BC0, 0x1BC4, 0x1BC8, 0x1BCC] as [UInt64] {
            write(root, offset, 0)
            #expect(read(child, offset) == 0)
        }
        // Hart 3's own file, and that of its guest 5.
        enable(96, Mode.detached, target: 3 << 18 | 200, in: child)
        write(child, 0x1CDC, 96)
        #expect(messages.taken() == [message(0x2801_8000, 200)])
        write(child, 0x3000 + 4 * 96, 3 << 18 | 5 << 12 | 201)
        write(child, 0x2000, 96)
        #expect(messages.taken() == [message(0x2801_D000, 201)])
        write(child, 0x2004, 0x6000_0000)
        #expect(messages.taken() == [message(0x2801_D000, 201)])
    }

    @Test func groupsOfHartsAreAddressedByTheHighBitsOfTheirIndex() {
        // Two harts a group; groups 16 MiB apart, and harts 8 KiB.
        write(root, 0x1BC0, 0x2_4000)
        write(root, 0x1BC4, 1 << 20 | 2 << 16 | 1 << 12)
        write(root, 0x3000, 5 << 18 | 7)
        #expect(messages.taken() == [message(0x2400_0000 | 2 << 24 | 1 << 13, 7)])
        #expect(read(root, 0x3000) == 5 << 18 | 7)
    }

    @Test func aLevelSendsAMessageWhenItRisesAndWhenSoftwareAsksWhileItIsHigh() {
        write(root, 4 * 10, Mode.delegated)
        enable(10, Mode.high, target: 40, in: child)
        write(child, 0x1CDC, 10)
        #expect(messages.taken() == [])
        aplic.setInterrupt(10, level: true)
        #expect(messages.taken() == [message(0, 40)])
        aplic.setInterrupt(10, level: true)
        #expect(messages.taken() == [])
        #expect(read(child, 0x1D00) == 1 << 10)
        #expect(!pending(child, 10))
        write(child, 0x1CDC, 10)
        #expect(messages.taken() == [message(0, 40)])
        // Without its enable bit it waits, and is forgotten when it falls.
        write(child, 0x1FDC, 10)
        write(child, 0x1C00, 1 << 10)
        #expect(pending(child, 10))
        aplic.setInterrupt(10, level: false)
        #expect(!pending(child, 10))
        write(child, 0x1EDC, 10)
        #expect(messages.taken() == [])
        aplic.setInterrupt(10, level: true)
        #expect(messages.taken() == [message(0, 40)])
    }

    @Test func edgesStayPendingUntilTheyAreSentOrCleared() {
        enable(3, Mode.falling, target: 9, in: root)
        aplic.setInterrupt(3, level: true)
        #expect(messages.taken() == [])
        aplic.setInterrupt(3, level: false)
        #expect(messages.taken() == [message(0, 9)])
        write(root, 4 * 3, Mode.rising)
        write(root, 0, 0)
        aplic.setInterrupt(3, level: true)
        aplic.setInterrupt(3, level: false)
        #expect(pending(root, 3))
        write(root, 0x1DDC, 3)
        #expect(!pending(root, 3))
        aplic.setInterrupt(3, level: true)
        write(root, 0, 1 << 8)
        #expect(messages.taken() == [message(0, 9)])
    }

    @Test func aLowLevelIsInverted() {
        enable(5, Mode.low, target: 8, in: root)
        // It was low before it was enabled.
        #expect(messages.taken() == [message(0, 8)])
        aplic.setInterrupt(5, level: true)
        #expect(read(root, 0x1D00) == 0)
        aplic.setInterrupt(5, level: false)
        #expect(messages.taken() == [message(0, 8)])
    }

    @Test func whatIsNotADomainsReadsAsZeroAndDoesNothing() {
        enable(7, Mode.detached, target: 3, in: child)
        for offset in [4 * 7, 0x3000 + 4 * 7, 0x1C00, 0x1E00] as [UInt64] { #expect(read(child, offset) == 0) }
        enable(7, Mode.detached, target: .max, in: root)
        #expect(read(root, 0x3000 + 4 * 7) == 0xFFFC_07FF)
        write(root, 4 * 7, Mode.delegated)
        for offset in [0x3000 + 4 * 7, 0x1C00, 0x1E00] as [UInt64] { #expect(read(root, offset) == 0) }
        enable(7, Mode.detached, target: .max, in: child)
        #expect(read(child, 0x3000 + 4 * 7) == 0xFFFC_77FF)
        write(child, 4 * 7, Mode.delegated)
        #expect(read(child, 4 * 7) == 0)
        enable(7, Mode.high, target: 3, in: child)
        aplic.setInterrupt(7, level: true)
        write(root, 4 * 7, 2)
        #expect(read(root, 4 * 7) == 0)
        for offset in [4 * 7, 0x3000 + 4 * 7, 0x1C00, 0x1D00, 0x1E00] as [UInt64] { #expect(read(child, offset) == 0) }
        for offset in [0, 4 * 97, 0x3000 + 4 * 97, 0x1C80, 0x4000, 0x7FFC] as [UInt64] where offset != 0 {
            write(root, offset, .max)
            #expect(read(root, offset) == 0)
        }
        for (offset, size) in [(4 * 7, 8), (4 * 7, 2), (4 * 7, 1), (4 * 7 + 2, 4)] as [(UInt64, Int)] {
            root.write(offset: offset, size: size, value: Mode.detached)
            #expect(root.read(offset: offset, size: size) == 0)
        }
        #expect(read(root, 4 * 7) == 0)
    }

    @Test func theConfigurationSaysThatThereAreOnlyMessages() {
        #expect(read(root, 0) == 0x8000_0004)
        write(root, 0, 0)
        #expect(read(root, 0) == 0x8000_0004)
        write(child, 0, .max)
        #expect(read(child, 0) == 0x8000_0104)
    }

    @Test func theStateIsSavedRestoredAndChecked() throws {
        aplic.delegateAll(machine: 0x2400_0000, supervisor: 0x2800_0000, hartIndexBits: 2)
        enable(96, Mode.high, target: 1 << 18 | 96, in: child)
        write(root, 4, Mode.detached)
        aplic.setInterrupt(96, level: true)
        aplic.setInterrupt(20, level: true)
        write(child, 0, 0)
        write(child, 0x1CDC, 96)
        _ = messages.taken()
        let records = [try root.save(), try child.save()]
        let other = APLIC(sources: 96, guestIndexBits: 3, messages: messages)
        let domains = [
            APLICDomain(name: "root", of: other, level: .machine),
            APLICDomain(name: "child", of: other, level: .supervisor),
        ]
        for (domain, record) in zip(domains, records) {
            try domain.restore(try SavedRecordCopy.throughBytes(record))
            #expect(try domain.save() == record)
        }
        write(domains[1], 0, 1 << 8)
        #expect(messages.taken() == [message(0x2800_8000, 96)])
        try SavedRecordCopy.expectEveryFieldIsChecked(of: root)
        try SavedRecordCopy.expectEveryFieldIsChecked(of: child)
        for (name, place, value) in [
            ("configurations", 0, 1), ("configurations", 1, 2), ("configurations", 1, 1), ("targets", 2, 5),
            ("pending", 0, 1), ("pending", 3, 2), ("enabled", 0, 4),
        ] as [(String, Int, UInt64)] {
            let record = try SavedRecordCopy.changing(try child.save(), name, at: place, to: value)
            #expect(throws: SavedStateError.self, "\(name) \(place)") { try child.restore(record) }
        }
        for domain in [root, child] { domain.reset() }
        #expect(read(root, 0x1BC4) == 0)
        #expect(read(root, 4 * 96) == 0)
        #expect(read(child, 0) == 0x8000_0004)
    }

    @Test func hostileAccessesDoNoHarmAndSendABoundedNumberOfMessages() throws {
        var random = SeededGenerator(seed: 2)
        let places: [UInt64] = [0, 4, 0x100, 0x1BC0, 0x1C00, 0x1CDC, 0x1DDC, 0x1E00, 0x1EDC, 0x2000, 0x3000, 0x3100]
        for domain in [root, child, root, child] {
            random.attack(domain, size: APLIC.size, hotspots: places, accesses: 5000)
            for source in 1...96 { aplic.setInterrupt(source, level: random.next() % 2 == 0) }
        }
        _ = messages.taken()
        // One write sends a message of each source at most, and its own.
        write(child, 0x1E00, .max)
        #expect(messages.taken().count <= 97)
        try root.restore(try root.save())
        try child.restore(try child.save())
    }
}
