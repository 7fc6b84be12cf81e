internal import HostSystem

/// Runs work that blocks, such as the wait for a child process, on a thread of its own, so that a task does not keep a thread of the cooperative
/// pool (`Patience`).
package func onOwnThread<Success: Sendable>(_ work: @escaping @Sendable () throws -> Success) async throws -> Success {
    try await withCheckedThrowingContinuation { continuation in
        do {
            _ = try HostThread(name: "work") { continuation.resume(with: Result { try work() }) }
        } catch { continuation.resume(throwing: error) }
    }
}
