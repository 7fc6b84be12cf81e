import GuestMemory
import HostSystem
import Machine
import RISCV
import Testing

/// A console that takes as much output as the test gives it room for.
private final class NarrowConsole: CharacterChannel {
    private let state = Monitor((room: 0, output: [UInt8]()))

    var output: [UInt8] { state.withLock { $0.output } }
    func makeRoom(_ count: Int) { state.update { $0.room = count } }

    func read(limit: Int) -> [UInt8] { [] }
    func write(_ bytes: [UInt8]) -> Int {
        state.update { state in
            let count = min(bytes.count, state.room)
            state.output += bytes.prefix(count)
            state.room -= count
            return count
        }
    }
    func setHandler(_ handler: (@Sendable () -> Void)?) {}
    var windowSize: (columns: UInt16, rows: UInt16)? { nil }
}

@Suite("SBI's console when the host has no room") struct SBIConsoleRoomTests {
    private static let base: UInt64 = 0x8000_0000
    private static let debugConsole: UInt64 = 0x4442_434E

    private let console = NarrowConsole()
    private let hart = FakeHart(index: 0)
    private let memory: GuestMemory
    private let sbi: SBI

    init() throws {
        memory = try GuestMemory(ranges: [(base: Self.base, size: 1 << 20)])
        sbi = SBI(harts: [hart], memory: memory, console: console) { _ in }
    }

    private func prepare(_ number: UInt64, _ function: UInt64, _ arguments: [UInt64]) {
        for (index, argument) in arguments.enumerated() { hart.registers[10 + index] = argument }
        hart.registers[16] = function
        hart.registers[17] = number
    }

    @Test("A buffer is written as far as there is room, and the call returns how far that is")
    func buffer() throws {
        try memory.write(Array("hello".utf8), at: Self.base)
        for (room, taken) in [(0, 0), (3, 3), (9, 5)] as [(Int, UInt64)] {
            console.makeRoom(room)
            prepare(Self.debugConsole, 0, [5, Self.base, 0])
            let pc = hart.pc
            sbi.serve(hart)
            #expect(hart.pc == pc + 4)
            #expect(hart.registers[10] == 0)
            #expect(hart.registers[11] == taken)
        }
        #expect(console.output == Array("helhello".utf8))
    }

    @Test(
        "One byte is written whole: without room the hart makes its call again",
        arguments: [(debugConsole, 2), (1, 0)] as [(UInt64, UInt64)])
    func byte(number: UInt64, function: UInt64) {
        prepare(number, function, [0x41])
        let (pc, before) = (hart.pc, hart.registers)
        for _ in 0..<3 {
            sbi.serve(hart)
            #expect(hart.pc == pc)
            #expect(hart.registers == before)
        }
        console.makeRoom(1)
        sbi.serve(hart)
        #expect(hart.pc == pc + 4)
        #expect(hart.registers[10] == 0)
        #expect(console.output == [0x41])
    }
}
