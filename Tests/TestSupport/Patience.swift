internal import Glibc

/// Waits in tests. A limit ends a test that hangs; no test fails because its host is busy.
package enum Patience {
    /// Longer than anything takes on a host with a load of other processes.
    package static let limit = Duration.seconds(300)
    private static let interval = Duration.milliseconds(1)

    /// Waits until something is true that another thread or process makes true. The thread sleeps meanwhile.
    ///
    /// - Returns: false when the limit has passed first.
    package static func wait(_ limit: Duration = limit, until condition: () throws -> Bool) rethrows -> Bool {
        let end = ContinuousClock.now + limit
        while ContinuousClock.now < end {
            if try condition() { return true }
            usleep(UInt32(interval / .microseconds(1)))
        }
        return try condition()
    }

    /// As above, for functions that are `async`. Their threads are those of the cooperative pool, one for each processor: a task that makes the
    /// condition true may need the same thread. So it is free between two looks.
    ///
    /// - Returns: false when the limit has passed first, or the task was cancelled.
    package static func wait(until condition: () throws -> Bool) async rethrows -> Bool {
        let end = ContinuousClock.now + limit
        while ContinuousClock.now < end {
            if try condition() { return true }
            guard (try? await Task.sleep(for: interval)) != nil else { break }
        }
        return try condition()
    }
}
