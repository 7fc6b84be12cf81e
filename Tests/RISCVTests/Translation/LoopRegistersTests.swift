import Glibc
import GuestToolchain
import HostSystem
import RISCV
import Testing
import TranslationRuntime

/// Loops of a page that use different registers.
@Suite struct LoopRegistersTests {
    @Test(arguments: GuestRunners.translating)
    func allRegistersAreExactAtEachFaultInEachLoop(runner: AerieRunner) throws {
        var faults = 0
        for seed in 1...12 as ClosedRange<UInt64> {
            let image = try LoopProgram(seed: seed).image()
            let outcomes = try [runner, AerieRunner()].map {
                try $0.run(image, harts: 1, memory: LoopProgram.memory, dump: LoopProgram.dump)
            }
            #expect(outcomes.map(\.end) == [.exit(0), .exit(0)], "seed \(seed)")
            let (ours, reference) = (outcomes[0].memory, outcomes[1].memory)
            let place = zip(ours, reference).enumerated().first { $0.element.0 != $0.element.1 }?.offset
            #expect(place == nil, "seed \(seed): \(describe(place ?? 0))")
            // The cause of each entry, which is not 0.
            for start in stride(from: 0x1_0000, to: reference.count - LoopProgram.entry, by: LoopProgram.entry) {
                if reference[start + 65 * 8] != 0 { faults += 1 }
            }
        }
        #expect(faults > 1000)
    }

    @Test func aRegionOfSuchLoopsHasParts() throws {
        let directory = TemporaryDirectory()
        let path = try directory.file("trace", [])
        var runner = AerieRunner(translates: true, makesRegions: true)
        runner.trace = TranslationTrace(file: try FileDescriptor(path: path, flags: O_WRONLY | O_APPEND))
        let image = try LoopProgram(seed: 1).image()
        #expect(try runner.run(image, harts: 1, memory: LoopProgram.memory, dump: 0..<0).end == .exit(0))
        let trace = String(decoding: try directory.contents(path), as: UTF8.self)
        #expect(trace.contains(", part 0\n") && trace.contains(", part 1\n"))
    }

    private func describe(_ place: Int) -> String {
        if place < 0x1_0000 { return "data 0x\(String(place, radix: 16))" }
        let (entry, offset) = (place - 0x1_0000).quotientAndRemainder(dividingBy: LoopProgram.entry)
        return "word \(offset / 8) of fault \(entry)"
    }
}
