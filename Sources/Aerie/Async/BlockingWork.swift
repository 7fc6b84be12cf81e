internal import HostSystem

/// Carries work that blocks from a task to a thread of its own: threads of Swift's cooperative pool are as few as the host's processors, and must
/// not wait for machines, files or other processes.
package enum BlockingWork {
    /// Calls `body` on a new thread, and suspends the calling task until it returns.
    ///
    /// The call is not cancellable: `body` always runs to its end.
    ///
    /// - Parameter name: the thread's name, at most 15 bytes.
    /// - Throws: the error of `body`, and `unavailable` when the host starts no more threads.
    package static func run<Value: Sendable>(
        _ name: String, _ body: @escaping @Sendable () throws(AerieError) -> Value
    ) async throws(AerieError) -> Value {
        let result: Result<Value, AerieError> = await withCheckedContinuation { continuation in
            do throws(SystemError) {
                _ = try HostThread(name: name) {
                    do throws(AerieError) {
                        continuation.resume(returning: .success(try body()))
                    } catch {
                        continuation.resume(returning: .failure(error))
                    }
                }
            } catch {
                let error = AerieError(
                    .unavailable, asked: "a thread", found: error.description, advice: "allow this user more processes")
                continuation.resume(returning: .failure(error))
            }
        }
        return try result.get()
    }
}
