package import Aerie
package import ControlAPI
internal import Glibc
package import HostSystem

/// The end of the connection between a machine's process and its monitor that belongs to the machine's process.
///
/// Both sides write lines of JSON. The process reports its states and its end; the monitor passes the signals on that it gets. The end of the
/// connection is the end of the other side.
package final class MonitorLink: @unchecked Sendable {
    // @unchecked: `rest` belongs to the reader, which is one event source. The descriptor is owned and constant.

    /// What the monitor says.
    package enum Order: Equatable, Sendable {
        case signal(Int32)
        /// The machine keeps a limit of processor time by itself, in percent of one processor.
        case limit(Int)
        /// The monitor is gone: nobody keeps the machine any more.
        case gone
    }

    private let socket: FileDescriptor
    private let sending = Monitor(())
    private var rest: [UInt8] = []

    package init(owning socket: consuming FileDescriptor) { self.socket = socket }

    package var descriptor: Int32 { socket.rawValue }

    /// Reports a state. Any thread.
    package func report(_ state: MachineStatus.State) { send(.object(["state": .string(state.rawValue)])) }

    /// Reports the end, or the failure to start.
    ///
    /// - Parameters:
    ///   - code: the exit code.
    ///   - error: nil for an end in order.
    ///   - kind: nil for a machine that did not start.
    ///   - isWanted: the machine was asked to end.
    package func reportEnd(code: Int32, error: AerieError?, kind: EndKind?, isWanted: Bool) {
        var pairs: [String: JSONValue] = ["end": JSONValue(code), "wanted": .boolean(isWanted)]
        if let kind { pairs["outcome"] = .string(kind.rawValue) }
        if let error { pairs["error"] = error.json }
        send(.object(pairs))
    }

    private func send(_ value: JSONValue) {
        let line = value.text + [0x0A]
        sending.withLock { _ in
            // The monitor reads all the time, or is gone.
            line.withUnsafeBytes { bytes in
                var done = 0
                while done < bytes.count {
                    let count = Glibc.send(
                        socket.rawValue, bytes.baseAddress! + done, bytes.count - done, Int32(MSG_NOSIGNAL))
                    if count < 0, errno != EINTR { return }
                    done += max(count, 0)
                }
            }
        }
    }

    /// Reads the orders that have arrived, without waiting. The last one is `gone` when there will be no more.
    package func orders() -> [Order] {
        var found: [Order] = []
        var buffer = [UInt8](repeating: 0, count: 256)
        while true {
            let count = buffer.withUnsafeMutableBytes {
                recv(socket.rawValue, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT))
            }
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN { return found }
            if count <= 0 { return found + [.gone] }
            rest += buffer[..<count]
            while let end = rest.firstIndex(of: 0x0A) {
                let value = try? JSONValue(parsing: Array(rest[..<end]))
                if let signal = value?["signal"]?.integer {
                    found.append(.signal(Int32(truncatingIfNeeded: signal)))
                } else if let limit = value?["limit"]?.integer {
                    found.append(.limit(limit))
                }
                rest.removeFirst(end + 1)
            }
            if rest.count > ControlRequest.longestLine { rest = [] }
        }
    }
}
