import GuestMemory
import HostSystem
import Machine
import RISCV
import TestSupport
import Testing

/// SBI as a guest's program reaches it, on real harts.
@Suite struct SBIOnHartTests {
    private static let base: UInt64 = 0x8000_0000

    private func store(_ program: [UInt32], at address: UInt64, in memory: GuestMemory) throws {
        for (index, word) in program.enumerated() { try memory.store(word, at: address + 4 * UInt64(index)) }
    }

    @Test func aProgramReadsTheVersionStartsTheOtherHartAndShutsDown() throws {
        let memory = try GuestMemory(ranges: [(base: Self.base, size: 1 << 20)])
        let addressSpace = AddressSpace(memory: memory)
        let timeBase = TimeBase()
        let harts = (0..<2).map {
            Hart(index: $0, addressSpace: addressSpace, timeBase: timeBase, resetAddress: 0x1000)
        }
        let events = Monitor([SystemEvent]())
        let sbi = SBI(harts: harts, memory: memory, console: nil) { event in
            events.update { $0.append(event) }
            // Hart 1 may be here before hart 0 has come to its stop. A hart that never stops fails below.
            _ = Patience.wait { harts[0].lifeState == .stopped }
            for hart in harts { hart.requestExit() }
        }
        for hart in harts { hart.setSupervisorCallHandler(sbi) }
        // Hart 0 asks for the version, starts hart 1, and stops.
        try store(
            [
                0x0100_0893,  // li a7, 0x10
                0x0000_0813,  // li a6, 0
                0x0000_0073,  // ecall
                0x0005_8413,  // mv s0, a1
                0x0048_58B7,  // lui a7, 0x485
                0x34D8_8893,  // addi a7, a7, 0x34d       HSM
                0x0010_0513,  // li a0, 1
                0x0010_0593,  // li a1, 1
                0x01F5_9593,  // slli a1, a1, 31
                0x1005_8593,  // addi a1, a1, 256
                0x0550_0613,  // li a2, 85
                0x0000_0073,  // ecall
                0x0005_0493,  // mv s1, a0
                0x0010_0813,  // li a6, 1
                0x0000_0073,  // ecall                    stop
                0x0000_0913,  // li s2, 0                 never reached
            ], at: Self.base, in: memory)
        // Hart 1 keeps its arguments and shuts the machine down.
        try store(
            [
                0x0005_0413,  // mv s0, a0
                0x0005_8493,  // mv s1, a1
                0x0080_0893,  // li a7, 8
                0x0000_0073,  // ecall
                0x0000_0493,  // li s1, 0                 never reached
            ], at: Self.base + 256, in: memory)
        harts[0].enterSupervisor(at: Self.base, arguments: (0, 0))
        harts[0][integer: 18] = 77
        harts[1].stop()
        let second = try HostThread(name: "hart1") { _ = harts[1].run() }
        #expect(harts[0].run() == .requested)
        second.join()
        #expect(events.withLock { $0 } == [.powerOff])
        #expect(harts[0][integer: 8] == 0x0200_0000)
        #expect(harts[0][integer: 9] == 0)
        #expect(harts[0][integer: 18] == 77)
        #expect(harts[0].lifeState == .stopped)
        #expect(harts[1][integer: 8] == 1)
        #expect(harts[1][integer: 9] == 85)
        #expect(harts[1].lifeState == .stopped)
    }
}
