import Glibc
import HostSystem
import Synchronization
import Testing

@Suite("Visits to an event loop")
struct EventLoopVisitTests {
    /// A loop that runs and waits, without a job, while `body` runs.
    private func withWaitingLoop(_ body: (EventLoop) throws -> Void) throws {
        let loop = try EventLoop(name: "test-loop")
        try loop.start()
        defer { loop.stop() }
        loop.sync {}
        try body(loop)
    }

    /// The loop's thread is still on its way into its wait after the last job: a visit becomes possible soon.
    private func visit(_ loop: EventLoop, _ body: () -> Void) {
        while !loop.visit(body) { sched_yield() }
    }

    @Test("A visitor's body and the jobs that it defers run on the visitor's thread, as on the loop's own")
    func visiting() throws {
        try withWaitingLoop { loop in
            let visitor = UInt(pthread_self())
            let seen = Monitor<[UInt]>([])
            visit(loop) {
                #expect(loop.isCurrent)
                #expect(loop.isVisited)
                seen.update { $0.append(UInt(pthread_self())) }
                loop.beforeWaiting { seen.update { $0.append(UInt(pthread_self())) } }
            }
            #expect(seen.withLock { $0 } == [visitor, visitor])
            #expect(!loop.isCurrent)
            #expect(loop.sync { loop.isVisited } == false)
        }
    }

    @Test("A handler cannot be visited, neither its own thread nor another may")
    func noNesting() throws {
        try withWaitingLoop { loop in
            visit(loop) {
                #expect(!loop.visit {})
                let other = try? HostThread(name: "other") { #expect(!loop.visit {}) }
                other?.join()
            }
        }
    }

    @Test("A visit does not overtake a job that waits")
    func jobsFirst() throws {
        try withWaitingLoop { loop in
            visit(loop) {
                loop.async {}
            }
            // Either the job has run by now, or the visit is refused: never a visit before the job.
            let order = Monitor<[Int]>([])
            loop.async { order.update { $0.append(1) } }
            visit(loop) { order.update { $0.append(2) } }
            #expect(order.withLock { $0 } == [1, 2])
        }
    }

    @Test("Before the start and after the stop nobody can visit, and a job takes the other way")
    func closed() throws {
        let loop = try EventLoop(name: "test-loop")
        #expect(!loop.visit {})
        let calls = Atomic(0)
        loop.visitOrAsync { calls.add(1, ordering: .relaxed) }
        try loop.start()
        loop.sync {}
        let afterStart = calls.load(ordering: .relaxed)
        #expect(afterStart == 1)
        loop.stop()
        #expect(!loop.visit {})
    }

    @Test("A source is cancelled only when a visitor has left its handler, and cannot be visited afterwards")
    func cancelWaitsForVisitors() throws {
        try withWaitingLoop { loop in
            let counter = try EventCounter()
            let isInside = Monitor(false)
            let mayLeave = Monitor(false)
            let hasLeft = Atomic(false)
            let source = try loop.watch(counter.rawValue, for: .readable) { _ in
                isInside.update { $0 = true }
                mayLeave.wait { $0 ? () : nil }
                hasLeft.store(true, ordering: .releasing)
            }
            let visitor = try HostThread(name: "visitor") { while !source.visit() { sched_yield() } }
            isInside.wait { $0 ? () : nil }
            let helper = try HostThread(name: "helper") { mayLeave.update { $0 = true } }
            source.cancel()
            let isOut = hasLeft.load(ordering: .acquiring)
            #expect(isOut)
            #expect(!source.visit())
            helper.join()
            visitor.join()
        }
    }

    @Test("Visitors and the loop's thread take turns: none of their work is lost, and no two run at once")
    func turns() throws {
        try withWaitingLoop { loop in
            let isBusy = Atomic(false)
            let overlaps = Atomic(0)
            let count = Atomic(0)
            let work: @Sendable () -> Void = {
                if isBusy.exchange(true, ordering: .sequentiallyConsistent) { overlaps.add(1, ordering: .relaxed) }
                count.add(1, ordering: .relaxed)
                isBusy.store(false, ordering: .sequentiallyConsistent)
            }
            let threads = try (0..<4).map { _ in
                try HostThread(name: "visitor") { for _ in 0..<2000 { loop.visitOrAsync(work) } }
            }
            for thread in threads { thread.join() }
            loop.sync {}
            let (all, both) = (count.load(ordering: .relaxed), overlaps.load(ordering: .relaxed))
            #expect(all == 8000)
            #expect(both == 0)
        }
    }
}
