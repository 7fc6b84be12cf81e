internal import Glibc

/// Waits in tests. A limit ends a test that hangs; no test fails because its host is busy.
package enum Patience {
    /// Longer than anything takes on a host with a load of other processes.
    package static let limit = Duration.seconds(300)
    private static let interval: UInt32 = 1000

    /// Waits until something is true that another thread or process makes true.
    ///
    /// - Returns: false when the limit has passed first.
    package static func wait(until condition: () throws -> Bool) rethrows -> Bool {
        let end = ContinuousClock.now + limit
        while ContinuousClock.now < end {
            if try condition() { return true }
            usleep(interval)
        }
        return try condition()
    }
}
