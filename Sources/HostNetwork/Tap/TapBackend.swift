internal import CLinux
internal import Glibc
package import HostSystem

/// A TAP interface: the card's other end is a network interface of the host, with checksum and segmentation offloads.
///
/// An interface that exists must belong to this user; creating one needs CAP_NET_ADMIN, and it is gone with the machine.
package final class TapBackend: NetworkBackend, @unchecked Sendable {
    // @unchecked: what changes is used on the loop's thread, or before and after the loop's handlers.

    package let mtu: UInt16
    package let hasPartialChecksums = true
    package let hasSegmentation = true
    package let isLinkUp = true

    private let descriptor: FileDescriptor
    private let buffer: UnsafeMutableRawBufferPointer
    // The bytes of a frame with its header at the start of `buffer`; 0 without one.
    private var heldCount = 0
    private var source: EventSource?
    private var handler: (@Sendable (NetworkEvent) -> Void)?

    /// Opens the interface, and sets it up if this process may.
    ///
    /// - Parameter interface: its name; nil lets the kernel choose one for a new interface.
    package convenience init(interface: String?) throws(SystemError) {
        self.init(try TapInterface(name: interface))
    }

    /// The card's side of an open interface.
    package init(_ interface: consuming TapInterface) {
        mtu = interface.mtu
        descriptor = interface.descriptor
        buffer = .allocate(byteCount: OffloadHeader.size + Ethernet.longestFrame, alignment: 16)
    }

    deinit { buffer.deallocate() }

    package func start(
        on loop: EventLoop, log: Log, handler: @escaping @Sendable (NetworkEvent) -> Void
    ) throws(SystemError) {
        self.handler = handler
        source = try loop.watch(descriptor.rawValue, for: [.readable, .writable], onlyChanges: true) {
            [weak self] events in
            if events.contains(.writable) { self?.handler?(.writable) }
            self?.handler?(.readable)
        }
    }

    package func activate(_ offloads: ReceiveOffloads) {
        // An interface that does not know an offload sends frames without it.
        _ = aerie_tap_set_offloads(descriptor.rawValue, UInt32(offloads.rawValue))
    }

    package func stop() {
        source?.cancel()
        source = nil
        handler = nil
    }

    package func send(_ frame: OutgoingFrame) -> Bool {
        withUnsafeTemporaryAllocation(byteCount: OffloadHeader.size, alignment: 2) { header in
            frame.header.store(into: header)
            return withUnsafeTemporaryAllocation(of: iovec.self, capacity: 2) { pieces in
                pieces[0] = iovec(iov_base: header.baseAddress, iov_len: header.count)
                pieces[1] = iovec(
                    iov_base: UnsafeMutableRawPointer(mutating: frame.bytes.baseAddress), iov_len: frame.bytes.count)
                do throws(SystemError) {
                    _ = try checked("writev") { writev(descriptor.rawValue, pieces.baseAddress, 2) }
                    return true
                } catch {
                    // Any other error is the frame's, or an interface that is down: the frame is lost, as on a wire.
                    return error.code != EAGAIN
                }
            }
        }
    }

    package func receive() -> IncomingFrame? {
        while heldCount == 0 {
            let count = read(descriptor.rawValue, buffer.baseAddress, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return nil }
            if count >= OffloadHeader.size + Ethernet.headerSize { heldCount = count }
        }
        return IncomingFrame(
            header: OffloadHeader(UnsafeRawBufferPointer(rebasing: buffer[..<OffloadHeader.size])),
            bytes: UnsafeRawBufferPointer(rebasing: buffer[OffloadHeader.size..<heldCount]))
    }

    package func consume() { heldCount = 0 }
}
