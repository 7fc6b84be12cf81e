internal import CLinux
package import HostSystem

/// A TAP interface: the card's other end is a network interface of the host, with checksum and segmentation offloads.
///
/// An interface that exists must belong to this user; creating one needs CAP_NET_ADMIN, and it is gone with the machine. An interface with
/// several queues chooses a frame's queue itself: the one from which the frame's flow came last.
package final class TapBackend: NetworkBackend, @unchecked Sendable {
    // @unchecked: what changes is used on the loop's thread, or before and after the loop's handlers.

    package let mtu: UInt16
    package let hasPartialChecksums = true
    package let hasSegmentation = true
    package let isLinkUp = true
    package var queueCount: Int { queues.count }

    private let queues: [TapQueue]
    private var sources: [EventSource] = []
    private var handler: (@Sendable (NetworkEvent) -> Void)?

    /// Opens the interface, and sets it up if this process may.
    ///
    /// - Parameters:
    ///   - interface: its name; nil lets the kernel choose one for a new interface.
    ///   - queueCount: how many queues to open. An interface that was made for one has one.
    package init(interface: String?, queueCount: Int = 1) throws(SystemError) {
        let first = try TapInterface(name: interface, isMultiQueue: queueCount > 1)
        var queues: [TapQueue] = []
        if first.isMultiQueue {
            for _ in 1..<max(queueCount, 1) {
                queues.append(TapQueue(owning: try first.openQueue(), isAttached: false))
            }
        }
        mtu = first.mtu
        self.queues = [TapQueue(owning: first.descriptor, isAttached: true)] + queues
    }

    /// The card's side of an open interface.
    package init(_ interface: consuming TapInterface) {
        mtu = interface.mtu
        queues = [TapQueue(owning: interface.descriptor, isAttached: true)]
    }

    package func start(
        on loop: EventLoop, log: Log, handler: @escaping @Sendable (NetworkEvent) -> Void
    ) throws(SystemError) {
        self.handler = handler
        do throws(SystemError) {
            for (index, queue) in queues.enumerated() {
                let source = try loop.watch(
                    queue.descriptor.rawValue, for: [.readable, .writable], onlyChanges: true
                ) { [weak self] events in
                    if events.contains(.writable) { self?.handler?(.writable(queue: index)) }
                    self?.handler?(.readable(queue: index))
                }
                sources.append(source)
            }
        } catch {
            stop()
            throw error
        }
    }

    package func activate(_ offloads: ReceiveOffloads) {
        // The interface's offloads, whatever the queue. An interface that does not know an offload sends frames without it.
        _ = aerie_tap_set_offloads(queues[0].descriptor.rawValue, UInt32(offloads.rawValue))
    }

    package func useQueues(_ count: Int) {
        for (index, queue) in queues.enumerated() where index > 0 { queue.attach(index < count) }
    }

    package func stop() {
        for source in sources { source.cancel() }
        sources = []
        handler = nil
    }

    package func send(_ frame: OutgoingFrame) -> Bool { send(frame, on: 0) }
    package func receive() -> IncomingFrame? { receive(on: 0) }
    package func consume() { consume(on: 0) }

    package func send(_ frame: OutgoingFrame, on queue: Int) -> Bool { queues[queue].send(frame) }
    package func receive(on queue: Int) -> IncomingFrame? { queues[queue].receive() }
    package func consume(on queue: Int) { queues[queue].consume() }
}
