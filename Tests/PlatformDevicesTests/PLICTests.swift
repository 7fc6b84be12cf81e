import Machine
import PlatformDevices
import SavedState
import TestSupport
import Testing

@Suite struct PLICTests {
    private let sink = RecordingSink()
    private let plic: PLIC

    init() {
        plic = PLIC(name: "plic", sources: 95, contexts: (0..<4).map(sink.line))
        plic.start()
    }

    private static let pending: UInt64 = 0x1000

    private func enables(_ context: UInt64) -> UInt64 { 0x2000 + 0x80 * context }
    private func threshold(_ context: UInt64) -> UInt64 { 0x20_0000 + 0x1000 * context }
    private func claim(_ context: UInt64) -> UInt64 { threshold(context) + 4 }
    private func read(_ offset: UInt64) -> UInt64 { plic.read(offset: offset, size: 4) }
    private func write(_ offset: UInt64, _ value: UInt64) { plic.write(offset: offset, size: 4, value: value) }

    /// Gives a source a priority and enables it for a context, besides those enabled already.
    private func enable(_ source: UInt64, priority: UInt64, context: UInt64 = 0) {
        write(4 * source, priority)
        let word = enables(context) + source / 32 * 4
        write(word, read(word) | 1 << (source % 32))
    }

    @Test func aRaisedEnabledSourceReachesItsContextAndIsClaimedOnce() {
        enable(10, priority: 1)
        #expect(sink.high == [])
        plic.setInterrupt(10, level: true)
        #expect(read(Self.pending) == 1 << 10)
        #expect(sink.high == [0])
        #expect(read(claim(0)) == 10)
        #expect(read(Self.pending) == 0)
        #expect(sink.high == [])
        #expect(read(claim(0)) == 0)
    }

    @Test func aSourceStillHighAtCompletionIsPendingAgain() {
        enable(40, priority: 1)
        plic.setInterrupt(40, level: true)
        #expect(read(claim(0)) == 40)
        plic.setInterrupt(40, level: true)
        #expect(sink.high == [])
        write(claim(0), 40)
        #expect(sink.high == [0])
        #expect(read(claim(0)) == 40)
        plic.setInterrupt(40, level: false)
        write(claim(0), 40)
        #expect(sink.high == [])
        #expect(read(claim(0)) == 0)
    }

    @Test func aRequestStaysPendingWhenItsLineFalls() {
        enable(3, priority: 1)
        plic.setInterrupt(3, level: true)
        plic.setInterrupt(3, level: false)
        #expect(read(claim(0)) == 3)
        write(claim(0), 3)
        #expect(read(Self.pending) == 0)
    }

    @Test func theHighestPriorityIsClaimedFirstAndTheLowestNumberAmongEquals() {
        for (source, priority) in [(UInt64(5), UInt64(2)), (33, 7), (64, 7), (90, 3)] {
            enable(source, priority: priority)
            plic.setInterrupt(Int(source), level: true)
        }
        #expect((0..<5).map { _ in read(claim(0)) } == [33, 64, 90, 5, 0])
    }

    @Test func aSourceOfPriorityZeroNeverInterrupts() {
        enable(7, priority: 0)
        plic.setInterrupt(7, level: true)
        #expect(sink.high == [])
        #expect(read(claim(0)) == 0)
        write(4 * 7, 1)
        #expect(sink.high == [0])
    }

    @Test func theThresholdMasksItsPriorityAndBelowButNotClaims() {
        enable(7, priority: 3)
        plic.setInterrupt(7, level: true)
        write(threshold(0), 3)
        #expect(sink.high == [])
        write(threshold(0), 2)
        #expect(sink.high == [0])
        write(threshold(0), 7)
        #expect(sink.high == [])
        #expect(read(claim(0)) == 7)
    }

    @Test func oneClaimTakesTheInterruptFromAllContexts() {
        for context in UInt64(0)..<3 { enable(12, priority: 1, context: context) }
        plic.setInterrupt(12, level: true)
        #expect(sink.high == [0, 1, 2])
        #expect(read(claim(1)) == 12)
        #expect(sink.high == [])
        #expect(read(claim(0)) == 0)
    }

    @Test func completionCountsOnlyFromAContextThatEnablesTheSource() {
        enable(12, priority: 1)
        plic.setInterrupt(12, level: true)
        #expect(read(claim(0)) == 12)
        for foreign: UInt64 in [0, 13, 96, 1023, 1024, 0x8000_000C, 0xFFFF_FFFF] { write(claim(0), foreign) }
        write(claim(1), 12)
        #expect(sink.high == [])
        write(claim(0), 12)
        #expect(sink.high == [0])
    }

    @Test func registersKeepOnlyTheBitsTheyHave() {
        for offset in stride(from: UInt64(0), to: 0x1000, by: 4) { write(offset, 0xFFFF_FFFF) }
        #expect(read(0) == 0)
        #expect(read(4) == 7)
        #expect(read(4 * 95) == 7)
        #expect(read(4 * 96) == 0)
        for word in UInt64(0)..<32 { write(enables(3) + 4 * word, 0xFFFF_FFFF) }
        #expect((0..<4).map { read(enables(3) + 4 * $0) } == [0xFFFF_FFFE, 0xFFFF_FFFF, 0xFFFF_FFFF, 0])
        write(threshold(3), 0xFFFF_FFFF)
        #expect(read(threshold(3)) == 7)
        write(Self.pending, 0xFFFF_FFFF)
        #expect(read(Self.pending) == 0)
        #expect(sink.high == [])
    }

    @Test func contextsAndRegistersThatDoNotExistReadZero() {
        for offset in [enables(4), threshold(4), claim(4), threshold(0) + 8, Self.pending + 12, 0x5F_F004] {
            write(offset, 0xFFFF_FFFF)
            #expect(read(offset) == 0)
        }
    }

    @Test func anEightByteAccessIsTwoRegistersAndOtherSizesAreNone() {
        plic.write(offset: 8, size: 8, value: 0x0000_0005_0000_0006)
        #expect(read(8) == 6)
        #expect(read(12) == 5)
        #expect(plic.read(offset: 8, size: 8) == 0x0000_0005_0000_0006)
        plic.write(offset: 8, size: 1, value: 1)
        plic.write(offset: 8, size: 2, value: 1)
        plic.write(offset: 10, size: 4, value: 1)
        #expect(read(8) == 6)
        #expect(plic.read(offset: 8, size: 2) == 0)
        #expect(plic.read(offset: 9, size: 4) == 0)
    }

    @Test func theLargestControllerServesItsLastSource() {
        let plic = PLIC(name: "plic", sources: 1023, contexts: [sink.line(100)])
        plic.write(offset: 4 * 1023, size: 4, value: 1)
        plic.write(offset: 0x2000 + 4 * 31, size: 4, value: 1 << 31)
        plic.setInterrupt(1023, level: true)
        #expect(sink.high == [100])
        #expect(plic.read(offset: 0x20_0004, size: 4) == 1023)
    }

    @Test func aRestoredControllerGoesOnWithClaimedAndPendingSources() throws {
        enable(5, priority: 2)
        enable(70, priority: 1, context: 2)
        write(threshold(1), 4)
        plic.setInterrupt(5, level: true)
        #expect(read(claim(0)) == 5)
        plic.setInterrupt(70, level: true)
        let saved = try SavedRecordCopy.throughBytes(plic.save())

        let otherSink = RecordingSink()
        let other = PLIC(name: "plic", sources: 95, contexts: (0..<4).map(otherSink.line))
        try other.restore(saved)
        #expect(otherSink.high == [])
        other.start()
        #expect(otherSink.high == [2])
        #expect(other.read(offset: threshold(1), size: 4) == 4)
        // Source 5 is in service there, too, and its line is high.
        other.write(offset: claim(0), size: 4, value: 5)
        #expect(otherSink.high == [0, 2])
        #expect(try other.save() != saved)
    }

    @Test func aStateOfAnotherShapeOrWithBitsThatDoNotExistIsRefused() throws {
        let larger = PLIC(name: "plic", sources: 96, contexts: (0..<4).map(sink.line))
        #expect(throws: SavedStateError.badField(kind: "plic", field: "priorities")) {
            try larger.restore(try plic.save())
        }
        var record = SavedRecord(kind: "plic", version: 1)
        for (name, value) in try plic.save().fields {
            record.set(
                name, name == "thresholds" ? .list([.unsigned(8), .unsigned(0), .unsigned(0), .unsigned(0)]) : value)
        }
        #expect(throws: SavedStateError.badField(kind: "plic", field: "thresholds")) { try plic.restore(record) }
        try SavedRecordCopy.expectEveryFieldIsChecked(of: plic)
    }

    @Test func resetForgetsEverythingAndLowersTheLinesAtResume() {
        enable(5, priority: 2)
        plic.setInterrupt(5, level: true)
        plic.pause()
        plic.reset()
        plic.resume()
        #expect(sink.high == [])
        #expect(read(4 * 5) == 0)
        #expect(read(enables(0)) == 0)
        #expect(read(Self.pending) == 0)
    }

    @Test func randomAccessesKeepTheStateValid() throws {
        for seed in UInt64(1)...3 {
            var generator = SeededGenerator(seed: seed)
            for source in 1...95 { plic.setInterrupt(source, level: Bool.random(using: &generator)) }
            let hotspots = [0, 0x100, 0x1000, 0x2000, 0x2080, 0x20_0000, 0x20_1000, 0x20_3000]
            generator.attack(plic, size: PLIC.size, hotspots: hotspots.map { UInt64($0) })
            let saved = try plic.save()
            let other = PLIC(name: "plic", sources: 95, contexts: (0..<4).map(RecordingSink().line))
            try other.restore(saved)
            #expect(try other.save() == saved)
        }
    }
}
