import AgentClient
import AgentProtocol
import Glibc
import HostSystem
import ScriptedAgent
import Testing

/// Tar streams on their way to a scripted agent.
@Suite("Transfers of archives")
struct ArchiveTransferTests {
    /// A connection that takes little at a time, so that most messages go in several pieces.
    private struct NarrowConnector: AgentConnector {
        let pair: PairConnector

        func connect(greeting: [UInt8], by deadline: UInt64) throws(ConnectFailure) -> FileDescriptor {
            let descriptor = try pair.connect(greeting: greeting, by: deadline)
            var size: Int32 = 8192
            setsockopt(descriptor.rawValue, SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<Int32>.size))
            return descriptor
        }
    }

    @Test("A transfer uses all the credit that it has, however the connection cuts its messages")
    func narrowConnection() throws {
        let total = 200 << 20
        let connector = NarrowConnector(
            pair: PairConnector { peer in
                guard case .put = peer.greet() else { return }
                peer.send(.credit(UInt32(AgentLimits.credit)))
                // As the guest's agent: it grants what it has taken when that is a quarter of the window.
                var (owed, taken) = (0, 0)
                while true {
                    switch peer.next() {
                    case .data(let bytes)?:
                        owed += bytes.count
                        taken += bytes.count
                        guard owed >= AgentLimits.credit / 4 else { continue }
                        peer.send(.credit(UInt32(owed)))
                        owed = 0
                    case .end?: return peer.send(.done(files: 1, bytes: UInt64(taken)))
                    default: return
                    }
                }
            })
        let stop = TestPipe()
        var transfer = try ArchiveTransfer(connector, wait: AgentWait(), stop: stop.readEnd)
        var rest = total
        let result = try transfer.put(PutRequest(path: Array("/".utf8))) { room in
            let count = min(room.count, rest)
            rest -= count
            return count == 0 ? .ended : .bytes(count)
        }
        withExtendedLifetime(stop) {}
        #expect(result.files == 1 && result.bytes == UInt64(total))
    }
}
