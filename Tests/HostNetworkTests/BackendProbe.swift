import Glibc
import HostNetwork
import HostSystem
import TestSupport
import Testing

/// A backend on an event loop of its own, and what a card does with it.
final class BackendProbe<Backend: NetworkBackend>: Sendable {
    let backend: Backend
    let loop: EventLoop
    private let events = Monitor<[NetworkEvent]>([])

    /// - Parameters:
    ///   - isSaved: the driver is that of a saved guest, which is ready before the backend starts.
    ///   - isReady: the driver of another guest is ready at once.
    init(_ backend: Backend, log: Log = .silent, isSaved: Bool = false, isReady: Bool = true) throws {
        self.backend = backend
        if isSaved { backend.activate([]) }
        loop = try EventLoop(name: "probe")
        try loop.start()
        try backend.start(on: loop, log: log) { [events] event in events.update { $0.append(event) } }
        if !isSaved, isReady { loop.sync { backend.activate([]) } }
    }

    func stop() {
        backend.stop()
        loop.stop()
    }

    var links: Int { events.withLock { $0.count { if case .link = $0 { true } else { false } } } }

    func send(_ frame: [UInt8], header: OffloadHeader = OffloadHeader()) -> Bool {
        loop.sync { [backend] in
            frame.withUnsafeBytes { backend.send(OutgoingFrame(header: header, bytes: $0)) }
        }
    }

    /// The next frame, which may take a while; nil if none comes.
    func receive() -> [UInt8]? {
        var frame: [UInt8]?
        _ = Patience.wait {
            frame = take()
            return frame != nil
        }
        return frame
    }

    func take() -> [UInt8]? {
        loop.sync { [backend] in
            guard let frame = backend.receive() else { return nil }
            defer { backend.consume() }
            return Array(frame.bytes)
        }
    }
}
