import Aerie
import CSockets
import Foundation
import HostSystem
import Testing

/// Stands between the sender and the receiver of a machine, and decides about each frame. Later connections, by which the sender asks, are
/// passed on as they are.
final class FrameRelay: Sendable {
    enum Side: Sendable { case sender, receiver }
    enum Verdict: Sendable {
        case pass, drop
        /// Ends the connection instead of the frame, or after it.
        case cut, passAndCut
    }

    private struct Progress {
        var isOver = false
        var connections = 0
    }

    private let listener: Int32
    private let target: String
    private let isCompressed: Bool
    private let judge: @Sendable (Side, TransferFrame) -> Verdict
    private let progress = Monitor(Progress())

    /// - Parameters:
    ///   - path: where it listens.
    ///   - target: the receiver's socket.
    ///   - isCompressed: whether data is compressed again on its way.
    ///   - judge: called for each frame of the first connection, by one thread for each side.
    init(
        at path: String, to target: String, isCompressed: Bool = false,
        _ judge: @escaping @Sendable (Side, TransferFrame) -> Verdict
    ) throws {
        listener = aerie_stream_listen(path)
        try #require(listener >= 0)
        self.target = target
        self.isCompressed = isCompressed
        self.judge = judge
        _ = try HostThread(name: "relay") { [self] in acceptAll() }
    }

    /// How often somebody has connected.
    var connections: Int { progress.withLock { $0.connections } }

    func end() { progress.update { $0.isOver = true } }

    private func acceptAll() {
        while !progress.withLock({ $0.isOver }) {
            var request = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
            guard poll(&request, 1, 50) == 1 else { continue }
            let near = aerie_stream_accept(listener)
            guard near >= 0 else { continue }
            let number = progress.update { progress in
                progress.connections += 1
                return progress.connections
            }
            let far = aerie_stream_connect(target)
            guard far >= 0 else {
                close(near)
                continue
            }
            for descriptor in [near, far] {
                _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) & ~O_NONBLOCK)
            }
            if number == 1 { relay(near, far, judge) } else { relay(near, far) { _, _ in .pass } }
        }
        close(listener)
    }

    private typealias Judge = @Sendable (Side, TransferFrame) -> Verdict

    private func relay(_ near: Int32, _ far: Int32, _ judge: @escaping Judge) {
        pass(from: near, to: far) { judge(.sender, $0) }
        pass(from: far, to: near) { judge(.receiver, $0) }
    }

    private func pass(from: Int32, to: Int32, _ judge: @escaping @Sendable (TransferFrame) -> Verdict) {
        _ = try? HostThread(name: "relay") { [isCompressed] in
            let stream = TransferStream(input: from, output: to, TransferOptions(isCompressed: isCompressed))
            while let (frame, data) = try? stream.receive() {
                let verdict = judge(frame)
                if verdict == .pass || verdict == .passAndCut {
                    guard (try? Self.send(frame, data, over: stream)) != nil else { break }
                }
                if verdict == .cut || verdict == .passAndCut { break }
            }
            shutdown(from, Int32(SHUT_RDWR))
            shutdown(to, Int32(SHUT_RDWR))
        }
    }

    private static func send(
        _ frame: TransferFrame, _ data: UnsafeRawBufferPointer, over stream: TransferStream
    ) throws(TransferError) {
        if frame.kind == .data {
            try stream.send(data, count: data.count, of: frame.file, at: frame.offset)
        } else {
            try stream.send(frame, frame.dataCount > 0 ? data : UnsafeRawBufferPointer(start: nil, count: 0))
        }
    }
}
