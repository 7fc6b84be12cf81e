internal import CLinux
internal import Glibc
internal import HostSystem

/// A queue of a TAP interface: an open file, and the frame that was read from it last.
final class TapQueue {
    let descriptor: FileDescriptor
    // Whether the kernel puts frames into it.
    var isAttached: Bool
    private let buffer: UnsafeMutableRawBufferPointer
    // The bytes of a frame with its header at the start of `buffer`; 0 without one.
    private var heldCount = 0

    init(owning descriptor: consuming FileDescriptor, isAttached: Bool) {
        self.descriptor = descriptor
        self.isAttached = isAttached
        buffer = .allocate(byteCount: OffloadHeader.size + Ethernet.longestFrame, alignment: 16)
    }

    deinit { buffer.deallocate() }

    /// What waits in a queue that is detached is lost.
    func attach(_ isAttached: Bool) {
        guard isAttached != self.isAttached else { return }
        self.isAttached = isAttached
        _ = aerie_tap_attach(descriptor.rawValue, isAttached ? 1 : 0)
    }

    func send(_ frame: OutgoingFrame) -> Bool {
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

    func receive() -> IncomingFrame? {
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

    func consume() { heldCount = 0 }
}
