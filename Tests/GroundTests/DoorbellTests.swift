import Glibc
import HostSystem
import Synchronization
import Testing

@Suite("Doorbells") struct DoorbellTests {
    /// A loop that runs while `body` does, with a bell whose calls are counted.
    private func withBell(_ body: (Doorbell, Monitor<Int>, EventLoop) throws -> Void) throws {
        let loop = try EventLoop(name: "test-loop")
        let bell = try Doorbell()
        let calls = Monitor(0)
        let source = try bell.watch(on: loop) { calls.update { $0 += 1 } }
        try loop.start()
        defer {
            source.cancel()
            loop.stop()
        }
        try body(bell, calls, loop)
    }

    @Test("Each ring after a call leads to another call, and without a ring there is none")
    func ringing() throws {
        try withBell { bell, calls, loop in
            for expected in 1...100 {
                bell.ring()
                #expect(calls.wait { $0 == expected ? true : nil } == true)
            }
            for _ in 0..<3 { loop.sync {} }
            #expect(calls.withLock { $0 } == 100)
        }
    }

    @Test("However often it rings before, one call takes all of it")
    func ringingBefore() throws {
        let loop = try EventLoop(name: "test-loop")
        let bell = try Doorbell()
        let calls = Monitor(0)
        for _ in 0..<3 { bell.ring() }
        let source = try bell.watch(on: loop) { calls.update { $0 += 1 } }
        try loop.start()
        #expect(calls.wait { $0 == 1 ? true : nil } == true)
        for _ in 0..<3 { loop.sync {} }
        source.cancel()
        loop.stop()
        #expect(calls.withLock { $0 } == 1)
    }

    @Test("The kernel's way to ring it, a write to its descriptor, is the same")
    func descriptor() throws {
        try withBell { bell, calls, _ in
            for expected in 1...3 {
                var one: UInt64 = 1
                #expect(write(bell.rawValue, &one, 8) == 8)
                #expect(calls.wait { $0 == expected ? true : nil } == true)
            }
        }
    }

    @Test("Everything that is written before a ring is seen by the call that follows it")
    func handingOver() throws {
        let value = Atomic(0)
        let loop = try EventLoop(name: "test-loop")
        let bell = try Doorbell()
        let seen = Monitor(0)
        let source = try bell.watch(on: loop) {
            let number = value.load(ordering: .relaxed)
            seen.update { $0 = number }
        }
        try loop.start()
        for number in 1...1000 {
            value.store(number, ordering: .relaxed)
            bell.ring()
            #expect(seen.wait { $0 == number ? true : nil } == true)
        }
        source.cancel()
        loop.stop()
    }
}
