package import HostSystem

/// The host's side of a network card: it carries Ethernet frames between the card and a network.
///
/// `start` and `stop` come from the thread that composes the machine. All other calls come on the event loop's thread, and never block.
package protocol NetworkBackend: AnyObject, Sendable {
    /// The largest packet in bytes, without the Ethernet header: 68 to 65535.
    var mtu: UInt16 { get }

    /// Whether `send` takes frames with a partial checksum and `receive` returns such frames.
    var hasPartialChecksums: Bool { get }

    /// Whether `send` takes TCP segments larger than the MTU and `receive` returns such segments.
    var hasSegmentation: Bool { get }

    /// Whether frames reach the network. A change is reported as `.link`.
    var isLinkUp: Bool { get }

    /// The number of queues of frames that the network has for the card: 1 for a single stream of frames.
    var queueCount: Int { get }

    /// - Parameter handler: called on the loop's thread for each event.
    func start(
        on loop: EventLoop, log: Log, handler: @escaping @Sendable (NetworkEvent) -> Void
    ) throws(SystemError)

    /// The driver is ready: frames can come and go, until the next call with the offloads that the driver accepts.
    func activate(_ offloads: ReceiveOffloads)

    /// Frames come and go by the first `count` queues only. A network with several queues begins with one.
    func useQueues(_ count: Int)

    func stop()

    /// Takes a frame over, or says that there is no room now, in which case `.writable` follows. The bytes may change at any time
    /// during the call, and are not used after it.
    func send(_ frame: OutgoingFrame) -> Bool

    /// The next frame from the network; nil when there is none, in which case `.readable` follows. The same frame is returned until
    /// `consume`.
    func receive() -> IncomingFrame?

    /// Lets go of the frame that `receive` returned.
    func consume()

    /// `send`, `receive` and `consume` for one queue, 0 to `queueCount` - 1. The calls without a number are for queue 0.
    func send(_ frame: OutgoingFrame, on queue: Int) -> Bool
    func receive(on queue: Int) -> IncomingFrame?
    func consume(on queue: Int)

    /// What a restored guest relies on and nobody tells it again: bytes for `restore`. Both come while the machine is paused.
    func save() -> [UInt8]

    /// Takes over what `save` returned, perhaps of another backend; what makes no sense is ignored.
    func restore(_ saved: [UInt8])
}

extension NetworkBackend {
    // A single stream of frames.
    package var queueCount: Int { 1 }
    package func useQueues(_ count: Int) {}
    package func send(_ frame: OutgoingFrame, on queue: Int) -> Bool { send(frame) }
    package func receive(on queue: Int) -> IncomingFrame? { receive() }
    package func consume(on queue: Int) { consume() }

    // A network that remembers nothing of its guest.
    package func save() -> [UInt8] { [] }
    package func restore(_ saved: [UInt8]) {}
}

/// The offloads of frames that the driver accepts.
package struct ReceiveOffloads: OptionSet, Sendable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    package static let partialChecksums = ReceiveOffloads(rawValue: 1)
    package static let segmentsIPv4 = ReceiveOffloads(rawValue: 2)
    package static let segmentsIPv6 = ReceiveOffloads(rawValue: 4)
    package static let segmentsWithECN = ReceiveOffloads(rawValue: 8)
}

/// What a backend tells its card.
package enum NetworkEvent: Sendable {
    /// `receive` has frames again, for one queue or for the single stream.
    case readable(queue: Int = 0)
    /// `send` has room again.
    case writable(queue: Int = 0)
    /// `isLinkUp` has changed.
    case link
}

/// A frame that leaves the guest.
package struct OutgoingFrame {
    package let header: OffloadHeader
    /// Without a frame check sequence. It may be longer than a frame can be.
    package let bytes: UnsafeRawBufferPointer

    package init(header: OffloadHeader, bytes: UnsafeRawBufferPointer) {
        self.header = header
        self.bytes = bytes
    }
}

/// A frame for the guest.
package struct IncomingFrame {
    package let header: OffloadHeader
    /// Without a frame check sequence. The bytes stay until `consume`.
    package let bytes: UnsafeRawBufferPointer

    package init(header: OffloadHeader, bytes: UnsafeRawBufferPointer) {
        self.header = header
        self.bytes = bytes
    }
}

/// Sizes of Ethernet frames in bytes.
package enum Ethernet {
    /// Destination, source, and type.
    package static let headerSize = 14
    /// The longest frame that any backend takes or returns: the largest packet with a header and a VLAN tag.
    package static let longestFrame = 65535 + headerSize + 4
}
