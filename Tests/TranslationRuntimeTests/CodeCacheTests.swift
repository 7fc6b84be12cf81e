import HostX86_64
import Testing

@testable import TranslationRuntime

@Suite struct CodeCacheTests {
    @Test func whatIsWrittenThroughOneMappingExecutesThroughTheOther() throws {
        let cache = try CodeCache(capacity: 4096)
        var assembler = Assembler(base: cache.writableBase)
        assembler.move(.rax, value: 0x1234_5678_9ABC_DEF0)
        assembler.ret()
        #expect(UnsafeRawPointer(cache.writableBase) != cache.executableBase)
        let code = unsafeBitCast(cache.executableBase, to: (@convention(c) () -> UInt64).self)
        #expect(code() == 0x1234_5678_9ABC_DEF0)
    }

    @Test func partsOfOneKindAreMappedInRuns() {
        #expect(AdoptedCode.runs(of: [1, 1, 0, 1], of: 1) == [0..<2, 3..<4])
        #expect(AdoptedCode.runs(of: [0, 1, 2], of: 1) == [1..<2])
        #expect(AdoptedCode.runs(of: [0, 0], of: 1) == [])
        #expect(AdoptedCode.runs(of: [1, 1, 1], of: 1) == [0..<3])
        #expect(AdoptedCode.runs(of: [Int](), of: 1) == [])
    }
}
