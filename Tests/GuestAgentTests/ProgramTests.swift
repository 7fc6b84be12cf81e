import Foundation
import GuestAgentPrograms
import Testing

@Suite("The guest's agent as a file")
struct ProgramTests {
    @Test(
        "The agent is a static program of its instruction set, of at most 200 KB",
        arguments: [
            (GuestAgentPrograms.Architecture.riscv64, UInt8(243)), (.x86_64, 62),
        ])
    func programs(_ architecture: GuestAgentPrograms.Architecture, _ machine: UInt8) {
        let program = GuestAgentPrograms.program(architecture)
        #expect(program.count <= 200_000)
        #expect(Array(program.prefix(6)) == [0x7f, 0x45, 0x4c, 0x46, 2, 1])
        #expect(program[16...19] == [2, 0, machine, 0])
        // No program header names an interpreter (3) or a dynamic section (2).
        let headers = Int(program[32]) | Int(program[33]) << 8
        let types = (0..<Int(program[56])).map { index in
            (0..<4).reversed().reduce(UInt32(0)) { $0 << 8 | UInt32(program[headers + 56 * index + $1]) }
        }
        #expect(types.contains(1))
        #expect(!types.contains(2) && !types.contains(3))
    }
}
