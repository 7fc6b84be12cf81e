import Foundation
import Testing
import TranslationRuntime

/// Random programs in U- and S-mode whose code and page tables change while they run and which a timer interrupts. They
/// leave the same behind on every engine. AERIE_STRESS_SEED and AERIE_STRESS_COUNT choose others.
@Suite struct StressTests {
    @Test(arguments: GuestRunners.translating)
    func interruptedProgramsThatChangeThemselvesEndAlikeOnBothEngines(runner: AerieRunner) throws {
        _ = try compare(runner, with: AerieRunner(), count: 25)
    }

    /// Regions of loops that lie across the borders of pages need code that has run for a while.
    @Test(arguments: [false, true])
    func interruptedProgramsWithRegionsOfTwoPagesEndAlikeOnBothEngines(isRelative: Bool) throws {
        let runner = AerieRunner(translates: true, findsRegions: true, isRelative: isRelative)
        let crossing = try compare(runner, with: AerieRunner(), count: 25)
        #expect(crossing > 0)
    }

    @Test(.enabled(if: QEMURunner.installed != nil, "needs qemu-system-riscv64"))
    func interruptedProgramsThatChangeThemselvesEndAlikeOnQEMU() throws {
        _ = try compare(AerieRunner(), with: try #require(QEMURunner.installed), count: 10, isPortable: true)
    }

    /// - Returns: how many regions of two pages there were.
    private func compare(
        _ ours: AerieRunner, with reference: any GuestRunner, count: Int, isPortable: Bool = false
    ) throws -> Int {
        let environment = ProcessInfo.processInfo.environment
        let first = environment["AERIE_STRESS_SEED"].flatMap { UInt64($0) } ?? 1
        let count = environment["AERIE_STRESS_COUNT"].flatMap { Int($0) } ?? count
        var interrupts = 0
        var causes: Set<UInt8> = []
        var crossing = 0
        for seed in first..<first + UInt64(count) {
            let program = StressProgram(seed: seed, isPortable: isPortable)
            let image = try program.image()
            let dump = StressProgram.dump
            let dumped = dump.lowerBound..<StressProgram.interrupts + 2
            let (outcome, counts) = try ours.runCounting(
                image, harts: 1, memory: StressProgram.memory, dump: dumped)
            crossing += counts?.regionsOfTwoPages ?? 0
            let outcomes = [
                outcome, try reference.run(image, harts: 1, memory: StressProgram.memory, dump: dumped),
            ]
            #expect(outcomes.map(\.end) == [.exit(0), .exit(0)], "seed \(seed)")
            let memory = outcomes.map { Array($0.memory.prefix(dump.count)) }
            let lines = StressProgram.differences(memory[0], memory[1])
            #expect(
                lines.isEmpty,
                "seed \(seed): \(ours.name) | \(reference.name)\n\(lines.prefix(30).joined(separator: "\n"))")
            let counter = StressProgram.interrupts - dump.lowerBound
            interrupts += Int(outcomes[0].memory[counter]) | Int(outcomes[0].memory[counter + 1]) << 8
            causes.formUnion(StressProgram.causes(memory[0]))
        }
        // The programs do what they are for: interrupts came, and each exception that the changes lead to.
        #expect(interrupts > count)
        #expect(causes.isSuperset(of: [2, 3, 12, 13, 15]))
        return crossing
    }
}
