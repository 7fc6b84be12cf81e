internal import Glibc
internal import HostSystem

/// An event counter that several owners share.
final class WakeCounter: Sendable {
    private let counter: EventCounter

    init() throws(SystemError) { counter = try EventCounter() }

    var rawValue: Int32 { counter.rawValue }
    func signal() { counter.signal() }
    func drain() { counter.drain() }
}

/// Moves bytes between a non-blocking socket and an attachment of the console, until either ends.
struct ConsoleRelay {
    private static let chunk = 1 << 16

    let descriptor: Int32
    let hub: ConsoleHub
    let number: Int
    let wake: WakeCounter
    /// Bytes for the guest.
    var typed: [UInt8]

    mutating func run() {
        var output: [UInt8] = []
        var inputHasEnded = false
        while true {
            guard flush(&output) else { return }
            // After what had to wait: the wake-up for this may have been drained meanwhile.
            if output.isEmpty {
                let taken = hub.takeOutput(number)
                output = taken.bytes
                if taken.lost > 0 {
                    output += Array("\r\naerie: \(taken.lost) bytes of output are missing here\r\n".utf8)
                }
                guard flush(&output) else { return }
                if taken.isOver, output.isEmpty { return }
            }
            if !typed.isEmpty { typed.removeFirst(hub.type(typed)) }
            var entries = [
                pollfd(fd: wake.rawValue, events: Int16(POLLIN), revents: 0),
                pollfd(fd: descriptor, events: events(!output.isEmpty, !inputHasEnded && typed.isEmpty), revents: 0),
            ]
            _ = poll(&entries, 2, -1)
            if entries[0].revents != 0 { wake.drain() }
            if entries[1].revents & Int16(POLLERR | POLLHUP) != 0, inputHasEnded { return }
            if entries[1].revents & Int16(POLLIN | POLLHUP) != 0, typed.isEmpty, !inputHasEnded {
                inputHasEnded = !receive()
            }
        }
    }

    private func events(_ sends: Bool, _ receives: Bool) -> Int16 {
        Int16((sends ? POLLOUT : 0) | (receives ? POLLIN : 0))
    }

    /// - Returns: false at the end of what the program types.
    private mutating func receive() -> Bool {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = buffer.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress, $0.count, 0) }
        if count < 0 { return errno == EAGAIN || errno == EINTR }
        typed += buffer[..<count]
        return count > 0
    }

    /// - Returns: false when the program is gone.
    private func flush(_ output: inout [UInt8]) -> Bool {
        var done = 0
        while done < output.count {
            let count = output.withUnsafeBytes {
                send(descriptor, $0.baseAddress! + done, min($0.count - done, Self.chunk), Int32(MSG_NOSIGNAL))
            }
            if count < 0 {
                if errno == EINTR { continue }
                guard errno == EAGAIN else { return false }
                break
            }
            done += count
        }
        output.removeFirst(done)
        return true
    }
}
