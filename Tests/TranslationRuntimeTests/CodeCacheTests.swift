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
}
