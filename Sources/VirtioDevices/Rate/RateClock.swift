package import HostSystem

/// The time that rates are measured in, with one alarm.
package protocol RateClock: AnyObject, Sendable {
    /// Nanoseconds of a steady clock.
    var now: UInt64 { get }

    /// Called before the first `schedule`. `handler` runs on the loop's thread.
    func start(on loop: EventLoop, handler: @escaping @Sendable () -> Void) throws(SystemError)

    /// Sets the alarm, in place of the last one. On the loop's thread.
    func schedule(at time: UInt64)

    /// Ends the alarm. When this returns, the handler does not run and will not run again.
    func stop()
}
