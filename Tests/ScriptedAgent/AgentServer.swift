internal import CSockets
internal import Glibc

/// A scripted agent behind a socket of Unix such as a machine's process has, with a thread for each connection.
package final class AgentServer: Sendable {
    package let path: String
    private let listener: Int32

    /// - Parameter script: gets each connection after the machine's answer. Its end closes the connection.
    package init(_ path: String, script: @escaping @Sendable (AgentPeer) -> Void) throws {
        self.path = path
        listener = aerie_stream_listen(path)
        guard listener >= 0 else { throw AgentServerError(code: errno) }
        _ = fcntl(listener, F_SETFL, 0)
        let listener = listener
        startThread {
            while true {
                let descriptor = aerie_stream_accept(listener)
                if descriptor < 0 { return }
                startThread {
                    let peer = AgentPeer(owning: descriptor)
                    peer.acceptConnection()
                    script(peer)
                }
            }
        }
    }

    /// Accepts no more; connections go on.
    package func stop() { shutdown(listener, Int32(SHUT_RDWR)) }

    deinit {
        stop()
        unlink(path)
    }
}

package struct AgentServerError: Error {
    let code: Int32
}

private final class ThreadBody {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}

/// Starts a thread that nobody waits for.
package func startThread(_ body: @escaping @Sendable () -> Void) {
    var thread = pthread_t()
    let start = Unmanaged.passRetained(ThreadBody(body))
    let code = pthread_create(
        &thread, nil,
        { argument in
            Unmanaged<ThreadBody>.fromOpaque(argument!).takeRetainedValue().run()
            return nil
        }, start.toOpaque())
    guard code == 0 else { fatalError("pthread_create: \(code)") }
    pthread_detach(thread)
}
