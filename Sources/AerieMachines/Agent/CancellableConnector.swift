internal import AgentClient
internal import Glibc
internal import HostSystem

/// A way to an agent whose connections another thread can end.
final class CancellableConnector: AgentConnector {
    private struct State {
        var isCancelled = false
        /// A descriptor of our own for the latest connection; -1 for none.
        var descriptor: Int32 = -1
    }

    private let connector: any AgentConnector
    private let state = Monitor(State())

    init(_ connector: any AgentConnector) { self.connector = connector }

    deinit { release() }

    func connect(greeting: [UInt8], by deadline: UInt64) throws(ConnectFailure) -> FileDescriptor {
        let stream = try connector.connect(greeting: greeting, by: deadline)
        let copy: Int32
        do throws(SystemError) { copy = try stream.duplicate().release() } catch { throw .system(error) }
        state.withLock { state in
            if state.descriptor >= 0 { close(state.descriptor) }
            state.descriptor = copy
            if state.isCancelled { shutdown(copy, Int32(SHUT_RDWR)) }
        }
        return stream
    }

    var hasEnded: Bool { state.withLock { $0.isCancelled } || connector.hasEnded }

    /// Ends the present connection, and attempts to connect again.
    func cancel() {
        state.withLock { state in
            state.isCancelled = true
            if state.descriptor >= 0 { shutdown(state.descriptor, Int32(SHUT_RDWR)) }
        }
    }

    /// Lets go of the connection, which ends with its other owner.
    func release() {
        state.withLock { state in
            if state.descriptor >= 0 { close(state.descriptor) }
            state.descriptor = -1
        }
    }
}
