import Testing

@testable import TranslationRuntime

/// Loops of graphs, which are given by the successors of each node.
@Suite struct LoopForestTests {
    @Test func aGraphWithoutWaysBackHasNoLoops() {
        // The block out of line at the end jumps back, but nothing leads from there to itself.
        let forest = LoopForest(successors: [[1, 3], [2], [], [1]])
        #expect(forest.innermost == [nil, nil, nil, nil])
    }

    @Test func aBlockThatLeadsToItselfIsALoop() {
        let forest = LoopForest(successors: [[1], [1, 2], []])
        #expect(forest.innermost[0] == nil && forest.innermost[1] != nil && forest.innermost[2] == nil)
    }

    @Test func loopsAreInsideOfLoops() throws {
        // 1 to 5 are the outer loop, 2 and 3 the inner one; 4 leads back to itself.
        let forest = LoopForest(successors: [[1], [2], [3], [2, 4], [4, 5], [1, 6], []])
        let outer = try #require(forest.innermost[1])
        let inner = try #require(forest.innermost[2])
        let last = try #require(forest.innermost[4])
        #expect(Set([outer, inner, last]).count == 3)
        #expect(forest.innermost == [nil, outer, inner, inner, last, outer, nil])
        #expect((0...6).map { forest.contains(outer, $0) } == [false, true, true, true, true, true, false])
        #expect((0...6).map { forest.contains(inner, $0) } == [false, false, true, true, false, false, false])
    }

    @Test func aLoopThatIsEnteredAtItsEndIsOneLoop() throws {
        let forest = LoopForest(successors: [[2], [2], [1, 3], []])
        let loop = try #require(forest.innermost[1])
        #expect(forest.innermost == [nil, loop, loop, nil])
    }
}
