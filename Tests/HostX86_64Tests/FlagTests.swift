import Testing
import Translator

@testable import HostX86_64

/// Runs statements with flags, narrow results and vectors as generated code, and compares with what they mean.
@Suite struct FlagTests {
    private static let values: [UInt64] = [
        0, 1, 2, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0x1_0000_0000,
        0x7FFF_FFFF_FFFF_FFFF, 0x8000_0000_0000_0000, 0xFFFF_FFFF_FFFF_FFFF, 0x1234_5678_9ABC_DEF0,
    ]
    // Slots 2 to 5 are in registers, from 20 on in memory.
    private static let places: [(UInt8, UInt8, UInt8)] = [(4, 2, 3), (2, 2, 3), (3, 2, 3), (20, 21, 22), (2, 20, 21)]

    @Test func flagsAreThoseOfTheOperation() throws {
        let machine = try EvaluationMachine(features: .detected)
        var differences: [String] = []
        for operation in [FlagOperation.add, .subtract, .logic] {
            for width in [FlagWidth.bits8, .bits16, .bits32, .bits64] {
                for (d, a, b) in Self.places {
                    let code = machine.translate(.flags(operation, width, Slot(d), .slot(Slot(a)), .slot(Slot(b))))
                    for x in Self.values {
                        for y in Self.values
                        where machine.run(code, [a: x, b: y], read: d)
                            != operation.evaluate(x, y, width)
                        {
                            differences.append("\(operation) \(width) \((d, a, b)) \(x) \(y)")
                        }
                    }
                }
            }
        }
        #expect(differences == [])
    }

    /// Of the four flags, in arithmetic of the processor that runs this test.
    @Test func flagsMeanWhatComparisonsFind() {
        for x in Self.values {
            for y in Self.values {
                let flags = FlagOperation.subtract.evaluate(x, y, .bits64)
                let (a, b) = (Int64(bitPattern: x), Int64(bitPattern: y))
                #expect(FlagCondition.zero.holds(flags) == (x == y))
                #expect(FlagCondition.carry.holds(flags) == (x < y))
                #expect(FlagCondition.lessOrEqualUnsigned.holds(flags) == (x <= y))
                #expect(FlagCondition.lessSigned.holds(flags) == (a < b))
                #expect(FlagCondition.lessOrEqualSigned.holds(flags) == (a <= b))
                #expect(FlagCondition.negative.holds(flags) == ((a &- b) < 0))
                let sum = FlagOperation.add.evaluate(x, y, .bits64)
                #expect(FlagCondition.carry.holds(sum) == x.addingReportingOverflow(y).overflow)
                #expect(FlagCondition.overflow.holds(sum) == a.addingReportingOverflow(b).overflow)
            }
        }
    }

    @Test func everyConditionIsFoundInTheFlags() throws {
        let machine = try EvaluationMachine(features: .detected)
        for condition in FlagCondition.allCases {
            for (d, a) in [(2, 3), (3, 3), (20, 21), (2, 20)] as [(UInt8, UInt8)] {
                let code = machine.translate(.setFlag(condition, Slot(d), .slot(Slot(a))))
                for flags in 0..<16 as Range<UInt64> {
                    let found = machine.run(code, [a: flags], read: d)
                    #expect(found == (condition.holds(flags) ? 1 : 0), "\(condition) \((d, a)) \(flags)")
                }
            }
        }
    }

    @Test func bytesAreInsertedIntoTheirSlots() throws {
        let machine = try EvaluationMachine(features: .detected)
        for (bytes, mask) in [(1, 0xFF), (2, 0xFFFF)] as [(Int, UInt64)] {
            for (d, a) in [(2, 3), (3, 3), (20, 21), (2, 20)] as [(UInt8, UInt8)] {
                let code = machine.translate(.insert(bytes: bytes, Slot(d), .slot(Slot(a))))
                for x in Self.values {
                    for y in Self.values {
                        let old = a == d ? y : x
                        let found = machine.run(code, a == d ? [a: y] : [d: x, a: y], read: d)
                        #expect(found == old & ~mask | y & mask)
                    }
                }
            }
        }
    }

    @Test func vectorsAreAddedByElements() throws {
        let machine = try EvaluationMachine(features: .detected)
        let (a, b): (UInt64, UInt64) = (0xFF80_7F01_FFFF_FFFF, 0x0180_0101_0000_0001)
        let expected: [(VectorOperation, UInt64)] = [
            (.and, a & b), (.or, a | b), (.xor, a ^ b), (.add8, 0x0000_8002_FFFF_FF00), (.add32, 0x0100_8002_0000_0000),
            (.add64, 0x0100_8003_0000_0000), (.subtract32, 0xFE00_7E00_FFFF_FFFE),
        ]
        for (operation, value) in expected {
            let code = machine.translate(.vector(operation, Slot(20), Slot(22), Slot(24)))
            for half in 0..<2 as Range<UInt8> {
                let found = machine.run(
                    code, [22 + half: a, 24 + half: b, 23 - half: 0, 25 - half: 0], read: 20 + half)
                #expect(found == value, "\(operation)")
            }
        }
    }

    // MARK: The pass

    private func block(_ statements: [Statement], _ terminator: Terminator) -> GuestBlock {
        GuestBlock(
            address: 0x1000, steps: statements.map { Step($0, number: 0, address: 0x1000) }, terminator: terminator,
            count: 1)
    }

    private let r1 = Slot(1)
    private let r2 = Slot(2)
    private let flags = Slot(8)

    @Test func aBranchOnAComparisonInTheSameBlockIsACompareAndBranch() {
        var block = block(
            [.flags(.subtract, .bits64, flags, .slot(r1), .slot(r2))],
            .branchFlag(.lessSigned, .slot(flags), taken: 1, next: 2))
        block.fuseFlags()
        guard case .branch(.lessSigned, .slot(r1), .slot(r2), taken: 1, next: 2) = block.terminator else {
            Issue.record("\(block.terminator)")
            return
        }
    }

    @Test(
        arguments: [
            // Its operand is another one now, it has no comparison, it is not of all 64 bits, and a helper may have changed it.
            [
                .flags(.subtract, .bits64, Slot(8), .slot(Slot(1)), .slot(Slot(2))),
                .unary(.copy, .bits64, Slot(1), .constant(0)),
            ],
            [.flags(.add, .bits64, Slot(8), .slot(Slot(1)), .slot(Slot(2)))],
            [.flags(.subtract, .bits32, Slot(8), .slot(Slot(1)), .slot(Slot(2)))],
            [.flags(.subtract, .bits64, Slot(8), .slot(Slot(1)), .slot(Slot(2))), .helper(HelperRecord((0, 0, 0)))],
        ] as [[Statement]])
    func aBranchOnOtherFlagsLooksAtThem(statements: [Statement]) {
        var block = block(statements, .branchFlag(.lessSigned, .slot(flags), taken: 1, next: 2))
        block.fuseFlags()
        guard case .branchFlag = block.terminator else {
            Issue.record("\(block.terminator)")
            return
        }
    }

    @Test func flagsThatAreReplacedAreNotComputed() {
        var block = block(
            [
                .flags(.add, .bits64, flags, .slot(r1), .slot(r2)), .binary(.add, .bits64, r1, .slot(r1), .slot(r2)),
                .flags(.subtract, .bits64, flags, .slot(r1), .slot(r2)),
            ], .jump(0))
        block.removeDeadWrites()
        #expect(block.steps.count == 2)
    }
}
