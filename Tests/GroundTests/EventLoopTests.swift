import Glibc
import HostSystem
import Synchronization
import Testing

@Suite("Event loop")
struct EventLoopTests {
    /// A loop that runs while `body` does.
    private func withLoop(_ body: (EventLoop) throws -> Void) throws {
        let loop = try EventLoop(name: "test-loop")
        try loop.start()
        defer { loop.stop() }
        try body(loop)
    }

    @Test("A handler is called when its descriptor becomes readable, and again only after another signal")
    func readable() throws {
        try withLoop { loop in
            let counter = try EventCounter()
            let calls = Monitor(0)
            let number = counter.rawValue
            let source = try loop.watch(number, for: .readable) { events in
                var count: UInt64 = 0
                _ = read(number, &count, 8)
                if events == .readable { calls.update { $0 += 1 } }
            }
            for expected in 1...3 {
                counter.signal()
                #expect(calls.wait { $0 == expected ? true : nil } == true)
            }
            source.cancel()
            counter.signal()
            loop.sync {}
            #expect(calls.withLock { $0 } == 3)
        }
    }

    @Test("A source whose handler runs is cancelled only when the handler has returned")
    func cancelWaits() throws {
        try withLoop { loop in
            let counter = try EventCounter()
            let isInside = Monitor(false)
            let mayLeave = Monitor(false)
            let hasLeft = Atomic(false)
            let source = try loop.watch(counter.rawValue, for: .readable) { _ in
                isInside.update { $0 = true }
                mayLeave.wait { $0 ? () : nil }
                hasLeft.store(true, ordering: .releasing)
            }
            counter.signal()
            isInside.wait { $0 ? () : nil }
            let helper = try HostThread(name: "helper") { mayLeave.update { $0 = true } }
            source.cancel()
            let isOut = hasLeft.load(ordering: .acquiring)
            #expect(isOut)
            helper.join()
        }
    }

    @Test("A handler may cancel its own source")
    func cancelInside() throws {
        try withLoop { loop in
            let counter = try EventCounter()
            let held = Mutex<EventSource?>(nil)
            let calls = Monitor(0)
            // The loop waits for this job before it serves the source.
            let source = loop.sync {
                try? loop.watch(counter.rawValue, for: .readable) { _ in
                    held.withLock { $0 }?.cancel()
                    calls.update { $0 += 1 }
                }
            }
            held.withLock { $0 = source }
            counter.signal()
            calls.wait { $0 == 1 ? () : nil }
            loop.sync {}
            #expect(calls.withLock { $0 } == 1)
        }
    }

    @Test("Jobs run in order, those of before the start and those that wait at the stop as well")
    func jobs() throws {
        let loop = try EventLoop(name: "test-loop")
        let order = Mutex<[Int]>([])
        for number in 0..<5 { loop.async { order.withLock { $0.append(number) } } }
        try loop.start()
        for number in 5..<10 { loop.async { order.withLock { $0.append(number) } } }
        loop.stop()
        #expect(order.withLock { $0 } == Array(0..<10))
        try loop.start()
        #expect(loop.sync { 7 } == 7)
        loop.stop()
    }

    @Test("A timer calls its handler at its time, once for each time that was set, and not when it was disarmed")
    func timers() throws {
        try withLoop { loop in
            let times = Monitor<[UInt64]>([])
            let timer = try EventTimer(on: loop) { times.update { $0.append(HostClock.monotonic()) } }
            let due = HostClock.monotonic() + 20_000_000
            timer.schedule(at: due)
            #expect(times.wait { $0.first }! >= due)
            timer.schedule(at: 0)
            #expect(times.wait { $0.count == 2 ? true : nil } == true)
            timer.schedule(at: UInt64.max / 2)
            timer.disarm()
            timer.cancel()
            loop.sync {}
            #expect(times.withLock { $0.count } == 2)
        }
    }

    @Test("A hang-up of the other end is reported without being asked for")
    func hangUp() throws {
        try withLoop { loop in
            var ends: [Int32] = [0, 0]
            #expect(pipe(&ends) == 0)
            let writer = FileDescriptor(owning: ends[1])
            let found = Monitor<EventLoop.Events?>(nil)
            let source = try loop.watch(writer.rawValue, for: []) { events in found.update { $0 = events } }
            close(ends[0])
            #expect(found.wait { $0 }?.contains(.failed) == true)
            source.cancel()
        }
    }

    @Test("Jobs for the time before the next wait run after the handlers of the same events, and may add further jobs")
    func beforeWaiting() throws {
        try withLoop { loop in
            let order = Monitor<[Int]>([])
            loop.async {
                loop.beforeWaiting {
                    order.update { $0.append(2) }
                    loop.beforeWaiting { order.update { $0.append(3) } }
                }
                order.update { $0.append(0) }
            }
            loop.async { order.update { $0.append(1) } }
            #expect(order.wait { $0.count == 4 ? $0 : nil }.map { $0.suffix(2) } == [2, 3])
            #expect(order.withLock { $0.sorted() } == [0, 1, 2, 3])
        }
    }

    @Test("A job for the end runs on the loop's thread after all others, each time that the loop ends")
    func atEnd() throws {
        let loop = try EventLoop(name: "test-loop")
        let order = Monitor<[String]>([])
        loop.atEnd { order.update { $0.append(loop.isCurrent ? "end" : "end elsewhere") } }
        for _ in 0..<2 {
            try loop.start()
            loop.async { order.update { $0.append("job") } }
            loop.stop()
        }
        #expect(order.withLock { $0 } == ["job", "end", "job", "end"])
    }
}
