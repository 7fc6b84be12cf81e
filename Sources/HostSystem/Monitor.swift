public import Glibc

/// A monitor: a value with a mutex and a condition variable.
///
/// Its functions are compiled into their callers: the generic ones would cost more than what they guard.
public final class Monitor<Value>: @unchecked Sendable {
    // @unchecked: `value` is accessed only with `mutex` held, which is also why the runtime need not look for overlapping accesses. Mutex and
    // condition variable have fixed addresses.
    @exclusivity(unchecked) @usableFromInline var value: Value
    @usableFromInline let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    @usableFromInline let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    /// A monitor of `value`, with no waiters.
    @inlinable
    public init(_ value: sending Value) {
        self.value = value
        pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    @inlinable
    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    /// Reads or changes the value and wakes all waiters.
    @inlinable
    public func update<Result>(_ body: (inout Value) throws -> Result) rethrows -> Result {
        pthread_mutex_lock(mutex)
        defer {
            pthread_cond_broadcast(condition)
            pthread_mutex_unlock(mutex)
        }
        return try body(&value)
    }

    /// Changes the value and wakes one waiter. Only for changes on which any single waiter can act.
    @inlinable
    public func updateForOne<Result>(_ body: (inout Value) throws -> Result) rethrows -> Result {
        pthread_mutex_lock(mutex)
        defer {
            pthread_cond_signal(condition)
            pthread_mutex_unlock(mutex)
        }
        return try body(&value)
    }

    /// Reads or changes the value without waking waiters.
    @inlinable
    public func withLock<Result>(_ body: (inout Value) throws -> Result) rethrows -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body(&value)
    }

    /// Reads or changes the value as `withLock` does, unless a thread, the calling one included, has the lock.
    ///
    /// - Returns: nil when the lock is taken; `body` did not run.
    @inlinable
    public func withLockIfFree<Result>(_ body: (inout Value) throws -> Result) rethrows -> Result? {
        guard pthread_mutex_trylock(mutex) == 0 else { return nil }
        defer { pthread_mutex_unlock(mutex) }
        return try body(&value)
    }

    /// Waits until `body` returns a result. Calls `body` at once and after every `update`.
    ///
    /// - Parameter deadline: nanoseconds of `HostClock.monotonic`; nil waits without limit.
    /// - Returns: the result; nil when the deadline passed first.
    @inlinable
    public func wait<Result>(until deadline: UInt64? = nil, _ body: (inout Value) -> Result?) -> Result? {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while true {
            if let result = body(&value) { return result }
            if let deadline {
                var time = timespec(tv_sec: Int(deadline / 1_000_000_000), tv_nsec: Int(deadline % 1_000_000_000))
                if pthread_cond_timedwait(condition, mutex, &time) == ETIMEDOUT { return body(&value) }
            } else {
                pthread_cond_wait(condition, mutex)
            }
        }
    }
}
