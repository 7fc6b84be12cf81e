import Glibc
import HostSystem
import Synchronization
import Testing

@Suite("Event notifiers") struct EventNotifierTests {
    /// A loop that runs while `body` does, with a notifier whose calls are counted.
    private func withNotifier(_ body: (EventNotifier, Monitor<Int>, EventLoop) throws -> Void) throws {
        let loop = try EventLoop(name: "test-loop")
        let notifier = try EventNotifier()
        let calls = Monitor(0)
        let source = try notifier.watch(on: loop) { calls.update { $0 += 1 } }
        try loop.start()
        defer {
            source.cancel()
            loop.stop()
        }
        try body(notifier, calls, loop)
    }

    @Test("Each notification after a call leads to another call, and without one there is none")
    func notifying() throws {
        try withNotifier { notifier, calls, loop in
            for expected in 1...100 {
                notifier.notify()
                #expect(calls.wait { $0 == expected ? true : nil } == true)
            }
            for _ in 0..<3 { loop.sync {} }
            #expect(calls.withLock { $0 } == 100)
        }
    }

    @Test("One call serves all notifications from before it")
    func notifyingBefore() throws {
        let loop = try EventLoop(name: "test-loop")
        let notifier = try EventNotifier()
        let calls = Monitor(0)
        for _ in 0..<3 { notifier.notify() }
        let source = try notifier.watch(on: loop) { calls.update { $0 += 1 } }
        try loop.start()
        #expect(calls.wait { $0 == 1 ? true : nil } == true)
        for _ in 0..<3 { loop.sync {} }
        source.cancel()
        loop.stop()
        #expect(calls.withLock { $0 } == 1)
    }

    @Test("The kernel's notification, a write to the descriptor, has the same effect")
    func descriptor() throws {
        try withNotifier { notifier, calls, _ in
            for expected in 1...3 {
                var one: UInt64 = 1
                #expect(write(notifier.rawValue, &one, 8) == 8)
                #expect(calls.wait { $0 == expected ? true : nil } == true)
            }
        }
    }

    @Test("Everything that is written before a notification is seen by the call that follows it")
    func handingOver() throws {
        let value = Atomic(0)
        let loop = try EventLoop(name: "test-loop")
        let notifier = try EventNotifier()
        let seen = Monitor(0)
        let source = try notifier.watch(on: loop) {
            let number = value.load(ordering: .relaxed)
            seen.update { $0 = number }
        }
        try loop.start()
        for number in 1...1000 {
            value.store(number, ordering: .relaxed)
            notifier.notify()
            #expect(seen.wait { $0 == number ? true : nil } == true)
        }
        source.cancel()
        loop.stop()
    }
}
