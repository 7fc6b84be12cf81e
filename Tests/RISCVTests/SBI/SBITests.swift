import GuestMemory
import HostSystem
import Machine
import RISCV
import Testing

/// A machine of fake harts, whose hart 0 makes the calls.
private struct FakeMachine {
    static let base: UInt64 = 0x8000_0000
    static let size: UInt64 = 1 << 20

    let harts: [FakeHart]
    let memory: GuestMemory
    let console = FakeConsole()
    let events = Monitor([SystemEvent]())
    let sbi: SBI

    init(harts count: Int = 4, console hasConsole: Bool = true, warmResetIsPanic: Bool = false) throws {
        let memory = try GuestMemory(ranges: [(base: Self.base, size: Self.size)])
        let harts = (0..<count).map { FakeHart(index: $0) }
        let events = self.events
        self.harts = harts
        self.memory = memory
        sbi = SBI(
            harts: harts, memory: memory, console: hasConsole ? console : nil,
            systemEvent: { event in events.update { $0.append(event) } }, warmResetIsPanic: warmResetIsPanic)
    }

    /// Makes a call and returns a0 and a1.
    func call(_ number: UInt64, _ function: UInt64, _ arguments: UInt64...) -> Answer {
        let hart = harts[0]
        for (index, argument) in arguments.enumerated() { hart.registers[10 + index] = argument }
        hart.registers[16] = function
        hart.registers[17] = number
        let before = hart.registers
        let pc = hart.pc
        sbi.serve(hart)
        #expect(hart.pc == pc + 4)
        let others = hart.registers.indices.filter { $0 != 10 && $0 != 11 }
        #expect(others.allSatisfy { hart.registers[$0] == before[$0] }, "only a0 and a1 change")
        return Answer(error: Int64(bitPattern: hart.registers[10]), value: hart.registers[11])
    }

    func takeEvents() -> [[FakeHart.Event]] {
        defer { for hart in harts { hart.events = [] } }
        return harts.map(\.events)
    }
}

private struct Answer: Equatable {
    var error: Int64
    var value: UInt64 = 0

    static let success = Answer(error: 0)
    static let notSupported = Answer(error: -2)
    static let invalidParameter = Answer(error: -3)
    static let denied = Answer(error: -4)
    static let invalidAddress = Answer(error: -5)
    static let alreadyAvailable = Answer(error: -6)

    static func value(_ value: UInt64) -> Answer { Answer(error: 0, value: value) }
}

private let base: UInt64 = 0x10
private let time: UInt64 = 0x5449_4D45
private let ipi: UInt64 = 0x73_5049
private let fence: UInt64 = 0x5246_4E43
private let hsm: UInt64 = 0x48_534D
private let reset: UInt64 = 0x5352_5354
private let console: UInt64 = 0x4442_434E
private let suspend: UInt64 = 0x5355_5350
private let all = UInt64.max

@Suite struct SBITests {
    @Test func theBaseExtensionTellsVersionImplementationAndMachine() throws {
        let machine = try FakeMachine()
        #expect(machine.call(base, 0) == .value(0x0200_0000))
        #expect(machine.call(base, 1) == .value(0x4145))
        #expect(machine.call(base, 2) == .value(1))
        #expect(machine.call(base, 4) == .value(7))
        #expect(machine.call(base, 5) == .value(8))
        #expect(machine.call(base, 6) == .value(9))
        #expect(machine.call(base, 7) == .notSupported)
        #expect(machine.call(base, 0xFFFF_FFFF) == .notSupported)
    }

    @Test func probingFindsWhatIsThereAndNothingElse() throws {
        let machine = try FakeMachine()
        let present = [0, 1, 2, 8, base, time, ipi, fence, hsm, reset, console, suspend]
        for number in present { #expect(machine.call(base, 3, number) == .value(1), "\(number)") }
        // The legacy calls that are left out, PMU, CPPC, nested acceleration, steal time, and nothing at all.
        let absent: [UInt64] = [
            3, 4, 5, 6, 7, 9, 15, 0x50_4D55, 0x4350_5043, 0x4E41_434C, 0x53_5441, 0x0A00_0000, 0xFFFF_FFFF,
        ]
        for number in absent { #expect(machine.call(base, 3, number) == .value(0), "\(number)") }
        let silent = try FakeMachine(console: false)
        for number in [console, 1, 2] { #expect(silent.call(base, 3, number) == .value(0), "\(number)") }
    }

    @Test func unknownExtensionsAndFunctionsAreNotSupported() throws {
        let machine = try FakeMachine()
        for number in [0x11, 0x50_4D55, 0x4350_5043, 0xFFFF_FFFF] as [UInt64] {
            #expect(machine.call(number, 0, 1, 2) == .notSupported)
        }
        let beyond: [(UInt64, UInt64)] = [(time, 1), (ipi, 1), (hsm, 4), (reset, 1), (console, 3), (suspend, 1)]
        for (number, function) in beyond {
            #expect(machine.call(number, function, 0, 0) == .notSupported, "\(number)")
        }
        #expect(machine.takeEvents() == [[], [], [], []])
        #expect(machine.events.withLock { $0 } == [])
    }

    @Test func theTimerIsSetOnTheCallingHartAlone() throws {
        let machine = try FakeMachine()
        #expect(machine.call(time, 0, 0x1234_5678_9ABC) == .success)
        #expect(machine.call(time, 0, .max) == .success)
        #expect(machine.takeEvents() == [[.timer(0x1234_5678_9ABC), .timer(.max)], [], [], []])
    }

    @Test(arguments: [ipi, fence])
    func aHartMaskSelectsHartsFromItsBase(number: UInt64) throws {
        let machine = try FakeMachine()
        let expected: [FakeHart.Event] =
            number == ipi ? [.interrupt(1, true)] : [.fence(.instructions), .wait(1)]
        func selected(_ mask: UInt64, _ base: UInt64) -> [Int] {
            #expect(machine.call(number, 0, mask, base) == .success)
            let events = machine.takeEvents()
            #expect(events.allSatisfy { $0.isEmpty || $0 == expected })
            return events.indices.filter { !events[$0].isEmpty }
        }
        #expect(selected(0b1010, 0) == [1, 3])
        #expect(selected(0b11, 2) == [2, 3])
        #expect(selected(1, 3) == [3])
        #expect(selected(0, 0) == [])
        // With a base of -1 the mask is ignored.
        #expect(selected(0, all) == [0, 1, 2, 3])
        #expect(selected(all, all) == [0, 1, 2, 3])
    }

    @Test(arguments: [ipi, fence])
    func aHartMaskThatNamesAMissingHartIsRefusedAsAWhole(number: UInt64) throws {
        let machine = try FakeMachine()
        let masks: [(mask: UInt64, base: UInt64)] = [
            (0b1_0001, 0), (1 << 63 | 1, 0), (0b11, 3), (1, 4), (0, 4), (1, .max - 1), (all, .max - 1), (all, 0),
        ]
        for (mask, base) in masks {
            #expect(machine.call(number, 0, mask, base) == .invalidParameter, "\(mask) \(base)")
        }
        #expect(machine.takeEvents() == [[], [], [], []])
    }

    @Test func allOfSixtyFourHartsAreReached() throws {
        let machine = try FakeMachine(harts: 64)
        #expect(machine.call(ipi, 0, all, 0) == .success)
        #expect(machine.takeEvents().allSatisfy { $0 == [.interrupt(1, true)] })
        #expect(machine.call(ipi, 0, 1, 63) == .success)
        #expect(machine.takeEvents().last == [.interrupt(1, true)])
        #expect(machine.call(ipi, 0, 0b11, 63) == .invalidParameter)
    }

    @Test func aStoppedHartGetsNoInterrupt() throws {
        let machine = try FakeMachine()
        machine.harts[2].lifeState = .stopped
        machine.harts[3].lifeState = .suspended(address: 0, opaque: 0)
        #expect(machine.call(ipi, 0, 0, all) == .success)
        #expect(machine.takeEvents() == [[.interrupt(1, true)], [.interrupt(1, true)], [], [.interrupt(1, true)]])
    }

    @Test func fencesOfHypervisorsAreOfTheGuestThatTheCallerHasSelected() throws {
        let machine = try FakeMachine()
        machine.harts[0].guestIdentifier = 9
        let cases: [(function: UInt64, start: UInt64, size: UInt64, fence: RemoteFence)] = [
            (3, 0, 0, .guests(identifier: 0x2005)), (3, 0x1000, 0x1000, .guests(identifier: 0x2005)),
            (4, 0x1000, 0x1000, .guests(identifier: nil)),
            (5, 0x1000, 0x2000, .pages(first: 0x1000, count: 2)),
            (5, 0, 0, .guestAddressSpaces(guest: 9, identifier: 0xA005)),
            (6, 0x1000, 0x1000, .pages(first: 0x1000, count: 1)), (6, 0, all, .guests(identifier: 9)),
        ]
        for (function, start, size, expected) in cases {
            #expect(machine.call(fence, function, 0b10, 0, start, size, 0xA005) == .success)
            #expect(machine.takeEvents() == [[], [.fence(expected), .wait(1)], [], []])
        }
        #expect(machine.call(fence, 7, 1, 0, 0, 0, 0) == .notSupported)
    }

    @Test func fencesOfSupervisorsCoverTheirRangesAndThoseOfHypervisorsNeedTheirExtension() throws {
        let machine = try FakeMachine()
        let space = RemoteFence.addressSpaces(identifier: 5)
        let ranges: [(start: UInt64, size: UInt64, pages: RemoteFence?)] = [
            (0, 0, nil), (0, all, nil), (all, all, nil), (0x1000, all, nil), (all - 4095, 4097, nil),
            (0x1000, 0x2000, .pages(first: 0x1000, count: 2)),
            (0x1FFF, 2, .pages(first: 0x1000, count: 2)),
            (0x1008, 8, .pages(first: 0x1000, count: 1)),
            (0x1000, 64 << 12, .pages(first: 0x1000, count: 64)),
            (0x1001, 64 << 12, nil),
            (all - 4095, 4095, .pages(first: all - 4095, count: 1)),
            (0x1000, 0, nil),
        ]
        for (start, size, pages) in ranges {
            for (function, other) in [(0, .instructions), (1, .everything), (2, space)] as [(UInt64, RemoteFence)] {
                #expect(machine.call(fence, function, 0b10, 0, start, size, 5) == .success)
                let expected = function == 0 ? other : pages ?? other
                #expect(machine.takeEvents() == [[], [.fence(expected), .wait(1)], [], []])
            }
        }
        for function in 3...7 as ClosedRange<UInt64> {
            #expect(machine.call(fence, function, 1, 0, 0, 0, 0) == .notSupported)
        }
        #expect(machine.takeEvents() == [[], [], [], []])
    }
}

@Suite struct SBIHartStateTests {
    @Test func aStoppedHartStartsOnce() throws {
        let machine = try FakeMachine()
        machine.harts[1].lifeState = .stopped
        #expect(machine.call(hsm, 2, 1) == .value(1))
        #expect(machine.call(hsm, 0, 1, 0x8000_1000, 42) == .success)
        #expect(machine.call(hsm, 2, 1) == .value(2))
        #expect(machine.call(hsm, 0, 1, 0x8000_2000, 43) == .alreadyAvailable)
        #expect(machine.takeEvents() == [[], [.started(0x8000_1000, 42)], [], []])
    }

    @Test func aHartThatRunsCannotBeStarted() throws {
        let machine = try FakeMachine()
        #expect(machine.call(hsm, 0, 0, 0x8000_1000, 0) == .alreadyAvailable)
        #expect(machine.call(hsm, 0, 3, 0x8000_1000, 0) == .alreadyAvailable)
    }

    @Test func aHartStartsOnlyInMemoryAndOnlyIfItExists() throws {
        let machine = try FakeMachine()
        machine.harts[1].lifeState = .stopped
        let end = FakeMachine.base + FakeMachine.size
        for address in [0, FakeMachine.base - 2, FakeMachine.base + 1, end, all - 1] {
            #expect(machine.call(hsm, 0, 1, address, 0) == .invalidAddress, "\(address)")
        }
        for hart in [4, 64, all] { #expect(machine.call(hsm, 0, hart, FakeMachine.base, 0) == .invalidParameter) }
        #expect(machine.takeEvents() == [[], [], [], []])
        #expect(machine.call(hsm, 0, 1, end - 2, 0) == .success)
    }

    @Test func theStateOfEveryHartIsTold() throws {
        let machine = try FakeMachine()
        machine.harts[1].lifeState = .stopped
        machine.harts[2].lifeState = .starting(address: 0, opaque: 0)
        machine.harts[3].lifeState = .suspended(address: 0, opaque: 0)
        #expect((0..<4).map { machine.call(hsm, 2, $0) } == [.value(0), .value(1), .value(2), .value(4)])
        machine.harts[1].lifeState = .suspendedRetentively
        machine.harts[2].lifeState = .resuming(address: 0, opaque: 0)
        #expect((1..<3).map { machine.call(hsm, 2, $0) } == [.value(4), .value(6)])
        #expect(machine.call(hsm, 2, 4) == .invalidParameter)
        #expect(machine.call(hsm, 2, all) == .invalidParameter)
    }

    @Test func aHartStopsItself() throws {
        let machine = try FakeMachine()
        _ = machine.call(hsm, 1)
        #expect(machine.takeEvents() == [[.stopped], [], [], []])
        #expect(machine.harts[0].lifeState == .stopped)
    }

    @Test func aHartSuspendsWithAndWithoutItsRegisters() throws {
        let machine = try FakeMachine()
        // Without need of an address, it is not looked at.
        #expect(machine.call(hsm, 3, 0, 1, 2) == .success)
        _ = machine.call(hsm, 3, 0x8000_0000, 0x8000_4000, 5)
        // The type is a 32-bit number.
        _ = machine.call(hsm, 3, 0xFFFF_FFFF_8000_0000, 0x8000_4000, 6)
        #expect(
            machine.takeEvents()[0] == [.suspended, .suspendedUntil(0x8000_4000, 5), .suspendedUntil(0x8000_4000, 6)])
        #expect(machine.call(hsm, 3, 0x8000_0000, 0x10, 5) == .invalidAddress)
        for type in [1, 0x0FFF_FFFF, 0x1000_0000, 0x7FFF_FFFF, 0x8000_0001, 0x9000_0000, 0xFFFF_FFFF] as [UInt64] {
            #expect(machine.call(hsm, 3, type, 0x8000_4000, 5) == .invalidParameter, "\(type)")
        }
        #expect(machine.takeEvents()[0] == [])
    }
}

@Suite struct SBISystemTests {
    @Test func aShutdownStopsTheHartAndReportsTheReason() throws {
        let cases: [(type: UInt64, reason: UInt64, event: SystemEvent)] = [
            (0, 0, .powerOff), (0, 1, .failure(code: 1)), (1, 0, .reset), (2, 0, .reset), (1, 1, .reset),
            (2, 1, .reset),
            (0xFFFF_FFFF_0000_0000, 0xFFFF_FFFF_0000_0000, .powerOff),
        ]
        for (type, reason, event) in cases {
            let machine = try FakeMachine()
            _ = machine.call(reset, 0, type, reason)
            #expect(machine.takeEvents()[0] == [.stopped])
            #expect(machine.events.withLock { $0 } == [event])
        }
        let machine = try FakeMachine(warmResetIsPanic: true)
        for type: UInt64 in [1, 2] { _ = machine.call(reset, 0, type, 0) }
        #expect(machine.events.withLock { $0 } == [.reset, .panic])
    }

    @Test func reservedAndVendorsResetTypesAndReasonsAreInvalid() throws {
        let machine = try FakeMachine()
        for type in [3, 0xEFFF_FFFF, 0xF000_0000, 0xFFFF_FFFF] as [UInt64] {
            #expect(machine.call(reset, 0, type, 0) == .invalidParameter)
        }
        for reason in [2, 0xDFFF_FFFF, 0xE000_0000, 0xF000_0000, 0xFFFF_FFFF] as [UInt64] {
            #expect(machine.call(reset, 0, 0, reason) == .invalidParameter)
        }
        #expect(machine.takeEvents()[0] == [])
        #expect(machine.events.withLock { $0 } == [])
    }

    @Test func theSystemSuspendsWhenAllOtherHartsAreStopped() throws {
        let machine = try FakeMachine()
        #expect(machine.call(suspend, 0, 0, 0x8000_4000, 5) == .denied)
        for hart in machine.harts.dropFirst() { hart.lifeState = .stopped }
        #expect(machine.call(suspend, 0, 1, 0x8000_4000, 5) == .invalidParameter)
        #expect(machine.call(suspend, 0, 0x8000_0000, 0x8000_4000, 5) == .invalidParameter)
        #expect(machine.call(suspend, 0, 0, 0x1000, 5) == .invalidAddress)
        #expect(machine.takeEvents()[0] == [])
        _ = machine.call(suspend, 0, 0, 0x8000_4000, 5)
        #expect(machine.takeEvents()[0] == [.suspendedUntil(0x8000_4000, 5)])
    }

    @Test func theLegacyCallsAnswerInA0Alone() throws {
        let machine = try FakeMachine()
        #expect(machine.call(0, 0, 99, 77) == Answer(error: 0, value: 77))
        #expect(machine.call(1, 0, 0x141, 77) == Answer(error: 0, value: 77))
        machine.console.type("z")
        #expect(machine.call(2, 0, 5, 77) == Answer(error: 0x7A, value: 77))
        #expect(machine.call(2, 0, 5, 77) == Answer(error: -1, value: 77))
        for number in [3, 4, 5, 6, 7, 9, 15] as [UInt64] {
            #expect(machine.call(number, 0, 5, 77) == Answer(error: -2, value: 77))
        }
        #expect(machine.console.output == [0x41])
        #expect(machine.takeEvents()[0] == [.timer(99)])
        _ = machine.call(8, 0)
        #expect(machine.takeEvents()[0] == [.stopped])
        #expect(machine.events.withLock { $0 } == [.powerOff])
    }
}

@Suite struct SBIConsoleTests {
    @Test func writingCopiesFromMemoryAndTellsHowMuch() throws {
        let machine = try FakeMachine()
        try machine.memory.write(Array("hello".utf8), at: FakeMachine.base + 0x100)
        #expect(machine.call(console, 0, 5, FakeMachine.base + 0x100, 0) == .value(5))
        #expect(machine.call(console, 2, 0xFF21) == .success)
        #expect(machine.console.output == Array("hello!".utf8))
    }

    @Test func oneCallMovesNoMoreThanItsLimit() throws {
        let machine = try FakeMachine()
        #expect(machine.call(console, 0, 4096, FakeMachine.base, 0) == .value(4096))
        #expect(machine.call(console, 0, FakeMachine.size, FakeMachine.base, 0) == .value(4096))
        #expect(machine.console.output.count == 8192)
        machine.console.type(String(repeating: "x", count: 5000))
        #expect(machine.call(console, 1, 5000, FakeMachine.base, 0) == .value(4096))
        #expect(machine.call(console, 1, 5000, FakeMachine.base, 0) == .value(904))
    }

    @Test func readingFillsMemoryWithWhatThereIs() throws {
        let machine = try FakeMachine()
        let buffer = FakeMachine.base + 0x10
        #expect(machine.call(console, 1, 10, buffer, 0) == .value(0))
        machine.console.type("abcdef")
        #expect(machine.call(console, 1, 4, buffer, 0) == .value(4))
        #expect(try machine.memory.bytes(at: buffer, count: 5) == Array("abcd\0".utf8))
        #expect(machine.call(console, 1, 4, buffer, 0) == .value(2))
        #expect(try machine.memory.bytes(at: buffer, count: 4) == Array("efcd".utf8))
    }

    @Test func aBufferOutsideOfMemoryIsInvalidAndTakesNoInput() throws {
        let machine = try FakeMachine()
        machine.console.type("abc")
        let end = FakeMachine.base + FakeMachine.size
        let buffers: [(count: UInt64, low: UInt64, high: UInt64)] = [
            (1, 0, 0), (1, end, 0), (2, end - 1, 0), (all, FakeMachine.base, 0), (2, all, 0),
            (1, FakeMachine.base - 1, 0),
            (1, FakeMachine.base, 1), (1, FakeMachine.base, all), (FakeMachine.size + 1, FakeMachine.base, 0),
        ]
        for (count, low, high) in buffers {
            for function in [0, 1] as [UInt64] {
                #expect(machine.call(console, function, count, low, high) == .invalidParameter, "\(count) \(low)")
            }
        }
        #expect(machine.console.output == [])
        #expect(machine.console.waiting == 3)
        // The last byte is memory, and no bytes are nowhere.
        #expect(machine.call(console, 0, 1, end - 1, 0) == .value(1))
        #expect(machine.call(console, 0, 0, all, all) == .value(0))
        #expect(machine.call(console, 1, 0, all, all) == .value(0))
    }

    @Test func withoutAConsoleNothingIsSupported() throws {
        let machine = try FakeMachine(console: false)
        for function in 0...2 as ClosedRange<UInt64> {
            #expect(machine.call(console, function, 0, FakeMachine.base, 0) == .notSupported)
        }
        #expect(machine.call(1, 0, 0x41, 9) == Answer(error: -2, value: 9))
        #expect(machine.call(2, 0, 0, 9) == Answer(error: -2, value: 9))
    }
}
