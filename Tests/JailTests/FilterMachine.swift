import CJail
import Glibc

/// The kernel's classic BPF machine (Documentation/networking/filter.rst), for the instructions that filters of system calls use.
struct FilterMachine {
    enum Fault: Error, Equatable {
        case unknownInstruction(UInt16)
        case outside(Int)
        case noEnd
    }

    let program: [aerie_filter_instruction]

    /// The value that the program returns for a system call.
    func run(
        _ call: UInt32, _ arguments: [UInt64] = [], architecture: UInt32 = 0xC000_003E
    ) throws(Fault) -> UInt32 {
        var words: [UInt32] = [call, architecture, 0, 0]
        for argument in arguments + [UInt64](repeating: 0, count: 6 - arguments.count) {
            words += [UInt32(truncatingIfNeeded: argument), UInt32(argument >> 32)]
        }
        var accumulator: UInt32 = 0
        var position = 0
        while program.indices.contains(position) {
            let instruction = program[position]
            position += 1
            switch instruction.code {
            case 0x20:
                guard instruction.operand % 4 == 0, Int(instruction.operand / 4) < words.count else {
                    throw .outside(position - 1)
                }
                accumulator = words[Int(instruction.operand / 4)]
            case 0x54: accumulator &= instruction.operand
            case 0x05: position += Int(instruction.operand)
            case 0x15:
                position += Int(accumulator == instruction.operand ? instruction.whenTrue : instruction.whenFalse)
            case 0x35:
                position += Int(accumulator >= instruction.operand ? instruction.whenTrue : instruction.whenFalse)
            case 0x06: return instruction.operand
            default: throw .unknownInstruction(instruction.code)
            }
        }
        throw .noEnd
    }
}
