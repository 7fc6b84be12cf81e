import FuzzTargets
import TestSupport
import Testing

@Suite("Fuzz targets")
struct FuzzTargetTests {
    /// Changed inputs for each one that is kept; `make fuzz` runs as many as it is told.
    private static let mutations = 200

    @Test("Every kept input, and changes of it, are taken without a trap", arguments: FuzzTarget.allCases)
    func corpus(_ target: FuzzTarget) throws {
        let inputs = try Corpus.inputs(of: target)
        #expect(inputs.count >= 3, "\(target.rawValue) has seeds")
        var mutator = Mutator(SeededGenerator(seed: 1))
        for (_, bytes) in inputs {
            target.run(bytes)
            for _ in 0..<Self.mutations { target.run(mutator.mutate(bytes)) }
        }
    }
}
