import Glibc
import HostSystem
import Synchronization
import Testing

@Suite("Doorbells") struct DoorbellTests {
    @Test("However often it rings before, one wait takes all of it, and the next one sleeps until it rings again")
    func ringing() throws {
        let bell = try Doorbell()
        for _ in 0..<3 { bell.ring() }
        bell.wait()
        var entry = pollfd(fd: bell.rawValue, events: Int16(POLLIN), revents: 0)
        #expect(poll(&entry, 1, 0) == 0)
        bell.ring()
        #expect(poll(&entry, 1, 0) == 1)
        bell.wait()
    }

    @Test("The kernel's way to ring it, a write to its descriptor, is the same")
    func descriptor() throws {
        let bell = try Doorbell()
        var one: UInt64 = 1
        #expect(write(bell.rawValue, &one, 8) == 8)
        bell.wait()
        var entry = pollfd(fd: bell.rawValue, events: Int16(POLLIN), revents: 0)
        #expect(poll(&entry, 1, 0) == 0)
    }

    @Test("Of everything that is said before a ring, the one who waits sees all")
    func handingOver() throws {
        let (bell, back) = (try Doorbell(), try Doorbell())
        let value = Monitor(0)
        let seen = Monitor<[Int]>([])
        let thread = try HostThread(name: "waits") {
            for _ in 0..<1000 {
                bell.wait()
                let number = value.withLock { $0 }
                seen.update { $0.append(number) }
                back.ring()
            }
        }
        for number in 0..<1000 {
            value.update { $0 = number }
            bell.ring()
            back.wait()
        }
        thread.join()
        #expect(seen.withLock { $0 } == Array(0..<1000))
    }
}
