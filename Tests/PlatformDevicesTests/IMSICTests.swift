import Machine
import PlatformDevices
import SavedState
import TestSupport
import Testing

/// Interrupt files (Advanced Interrupt Architecture 1.0, chapter 3).
@Suite struct IMSICTests {
    private let sink = RecordingSink()
    private let imsic: IMSIC

    init() {
        // Two harts with a file of their own and two of guests each: lines 0 to 2, and 10 to 12.
        imsic = IMSIC(name: "imsic", lines: [(0..<3).map(sink.line), (10..<13).map(sink.line)])
        imsic.start()
    }

    private enum Register {
        static let delivery = 0x70
        static let threshold = 0x72
        static let pending = 0x80
        static let enabled = 0xC0
    }

    private func file(_ hart: Int, _ number: Int = 0) -> any InterruptFile { imsic.files(ofHart: hart)[number] }

    private func read(_ file: any InterruptFile, _ register: Int) -> UInt64 {
        file.access(register: register, keeping: .max, setting: 0)
    }

    private func write(_ file: any InterruptFile, _ register: Int, _ value: UInt64) {
        _ = file.access(register: register, keeping: 0, setting: value)
    }

    private func open(_ file: any InterruptFile) {
        write(file, Register.delivery, 1)
        for word in 0..<4 { write(file, Register.enabled + 2 * word, .max) }
    }

    @Test func aMessageReachesTheFileOfItsPageAndOnlyThat() {
        // A hart has four pages, of which the last has no file.
        for (page, line) in [(0, 0), (1, 1), (2, 2), (4, 10), (5, 11), (6, 12)] as [(UInt64, Int)] {
            for hart in 0..<2 { for number in 0..<3 { open(file(hart, number)) } }
            imsic.write(offset: page * 4096, size: 4, value: 77)
            #expect(sink.high == [line])
            let target = file(line / 10, line % 10)
            #expect(target.top(claims: false) == 77 << 16 | 77)
            #expect(target.top(claims: true) == 77 << 16 | 77)
            #expect(sink.high == [])
        }
        for page in [3, 7] as [UInt64] { imsic.write(offset: page * 4096, size: 4, value: 77) }
        #expect(sink.high == [])
    }

    @Test func onlyAlignedWordsWithTheNumberOfAnIdentityAreMessages() {
        open(file(0))
        for (offset, size, value) in [
            (0, 4, 0), (0, 4, 256), (0, 4, 0xFFFF_FFFF), (0, 8, 5), (0, 2, 5), (0, 1, 5), (2, 4, 5), (8, 4, 5),
            (4, 4, 5), (4092, 4, 5),
        ] as [(UInt64, Int, UInt64)] {
            imsic.write(offset: offset, size: size, value: value)
            #expect(file(0).top(claims: false) == 0, "\(offset) \(size) \(value)")
        }
        imsic.write(offset: 4, size: 4, value: 0x0500_0000)
        #expect(file(0).top(claims: true) == 5 << 16 | 5)
        for offset in stride(from: 0, to: 4096 as UInt64, by: 4) { #expect(imsic.read(offset: offset, size: 4) == 0) }
    }

    @Test func theLowestIdentityBelowTheThresholdIsSignaledWhileDeliveryIsOn() {
        let file = file(1)
        for identity in [200, 64, 63] as [UInt64] { imsic.write(offset: 4 * 4096, size: 4, value: identity) }
        #expect(file.top(claims: true) == 0)
        write(file, Register.enabled + 2, 1)
        #expect(file.top(claims: false) == 64 << 16 | 64)
        #expect(sink.high == [])
        write(file, Register.delivery, 1)
        #expect(sink.high == [10])
        write(file, Register.threshold, 64)
        #expect(sink.high == [])
        #expect(file.top(claims: true) == 0)
        write(file, Register.threshold, 65)
        #expect(sink.high == [10])
        write(file, Register.enabled, 1 << 63)
        #expect(file.top(claims: true) == 63 << 16 | 63)
        write(file, Register.threshold, 0)
        #expect(file.top(claims: true) == 64 << 16 | 64)
        #expect(sink.high == [])
        #expect(read(file, Register.pending + 6) == 1 << 8)
    }

    @Test func registersKeepWhatIsLegal() {
        let file = file(0)
        let legal: [(Int, UInt64)] = [
            (0x70, 1), (0x71, 0), (0x72, 255), (0x73, 0), (0x7F, 0), (0x80, ~1), (0x82, .max), (0x86, .max), (0x88, 0),
            (0xBE, 0), (0xC0, ~1), (0xC6, .max), (0xC8, 0), (0xFE, 0),
        ]
        for (number, value) in legal {
            write(file, number, .max)
            #expect(read(file, number) == value, "\(number)")
        }
    }

    @Test func bitsThatArriveWhileOthersChangeStay() {
        let file = file(0)
        write(file, Register.pending, 0xF0)
        #expect(file.access(register: Register.pending, keeping: ~0x30, setting: 0x100) == 0xF0)
        #expect(read(file, Register.pending) == 0x1C0)
    }

    @Test func manyThreadsLoseNoMessage() async {
        open(file(0))
        let imsic = imsic
        let target = file(0)
        await withTaskGroup(of: Void.self) { group in
            for sender in 0..<4 as Range<UInt64> {
                group.addTask {
                    for identity in 1...60 as ClosedRange<UInt64> {
                        imsic.write(offset: 0, size: 4, value: 60 * sender + identity)
                    }
                }
            }
        }
        var claimed: Set<UInt64> = []
        while case let top = target.top(claims: true), top != 0 { claimed.insert(top >> 16) }
        #expect(claimed == Set(1...240))
        #expect(sink.high == [])
    }

    @Test func theRouterFindsFilesByTheirAddresses() {
        open(file(1, 2))
        let router = IMSICRouter([(base: 0x2800_0000, size: IMSIC.size(harts: 2, filesOfHart: 3), controller: imsic)])
        for address in [0, 0x27FF_F000, 0x2800_8000, 0x2800_6008, 0x2800_6002, .max - 3] as [UInt64] {
            router.send(InterruptMessage(address: address, data: 9))
        }
        #expect(file(1, 2).top(claims: false) == 0)
        router.send(InterruptMessage(address: 0x2800_6000, data: 9))
        #expect(file(1, 2).top(claims: false) == 9 << 16 | 9)
    }

    @Test func theStateIsSavedRestoredAndChecked() throws {
        open(file(0, 1))
        write(file(0, 1), Register.threshold, 33)
        imsic.write(offset: 4096, size: 4, value: 32)
        imsic.write(offset: 5 * 4096, size: 4, value: 255)
        let other = IMSIC(name: "imsic", lines: [(20..<23).map(sink.line), (30..<33).map(sink.line)])
        try other.restore(try SavedRecordCopy.throughBytes(try imsic.save()))
        #expect(try other.save() == imsic.save())
        other.start()
        #expect(sink.high == [1, 21])
        #expect(other.files(ofHart: 0)[1].top(claims: true) == 32 << 16 | 32)
        #expect(sink.high == [1])
        try SavedRecordCopy.expectEveryFieldIsChecked(of: imsic)
        for (name, value) in [
            ("delivers", 2), ("thresholds", 256), ("pending", 1), ("enabled", 1),
        ] as [(String, UInt64)] {
            let record = try SavedRecordCopy.changing(try imsic.save(), name, at: 0, to: value)
            #expect(throws: SavedStateError.self, "\(name)") { try imsic.restore(record) }
        }
        imsic.reset()
        imsic.resume()
        #expect(sink.high == [])
        #expect(file(0, 1).top(claims: false) == 0)
    }

    @Test func hostileAccessesDoNoHarm() throws {
        var random = SeededGenerator(seed: 1)
        let size = IMSIC.size(harts: 2, filesOfHart: 3)
        random.attack(imsic, size: size, hotspots: (0..<8).map { 4096 * $0 })
        for _ in 0..<20_000 {
            let file = file(Int(random.next() % 2), Int(random.next() % 3))
            _ = file.access(
                register: 0x70 + Int(random.next() % 0x90), keeping: random.next(), setting: random.next())
            _ = file.top(claims: random.next() % 2 == 0)
        }
        try imsic.restore(try imsic.save())
    }
}
