internal import CLinux
internal import Glibc
package import HostSystem

/// An Ethernet segment between the machines of a user, without privileges and without a process of its own.
///
/// Each member has a datagram socket in the segment's directory and sends its frames to the members straight: to the one where the
/// destination was last seen, or to all. Nobody passes a frame on, so that no frame goes round in circles. A frame travels with its
/// offloads: a checksum is computed only for a receiver that wants one.
package final class SegmentBackend: NetworkBackend, @unchecked Sendable {
    // @unchecked: what changes is used on the loop's thread, or before and after the loop's handlers.

    /// Nanoseconds before a full member is tried again.
    private static let retryPause: UInt64 = 200_000
    /// Nanoseconds that a frame waits for a full member before it is dropped.
    private static let patience: UInt64 = 20_000_000
    /// The most members that frames are sent to.
    private static let mostMembers = 256

    package let mtu: UInt16 = 65520
    package let hasPartialChecksums = true
    package let hasSegmentation = false
    package let isLinkUp = true

    private let directory: SegmentDirectory
    private let ownPath: String
    private let descriptor: FileDescriptor
    private let watch: FileDescriptor
    private let buffer: UnsafeMutableRawBufferPointer
    private var heldCount = 0

    private var members: [String] = []
    // Members that let a frame wait too long: until they take one again, their frames do not wait.
    private var stalled: Set<String> = []
    private var table = ForwardingTable()
    private var waitingSince: UInt64?
    private var sources: [EventSource] = []
    private var timer: EventTimer?
    private var handler: (@Sendable (NetworkEvent) -> Void)?

    /// The directory of the sockets of a segment's members, in which frames are sent by path.
    package static func directory(of segment: String) -> String {
        SegmentDirectory.path(segment, in: SegmentDirectory.standardBase)
    }

    /// Joins the segment.
    ///
    /// - Parameter base: the directory of the user's segments; nil for the standard one.
    package init(segment: String, base: String? = nil) throws(SystemError) {
        directory = try SegmentDirectory(segment: segment, base: base ?? SegmentDirectory.standardBase)
        watch = FileDescriptor(
            owning: try checked("inotify \(directory.path)") { [directory] in aerie_watch_directory(directory.path) })
        var random: UInt32 = 0
        try withUnsafeMutableBytes(of: &random) { bytes throws(SystemError) in try fillWithRandomBytes(bytes) }
        let path = "\(directory.path)/\(getpid())-\(String(random, radix: 16)).socket"
        ownPath = path
        descriptor = FileDescriptor(owning: try checked("bind \(path)") { aerie_datagram_socket(path) })
        buffer = .allocate(byteCount: OffloadHeader.size + Ethernet.longestFrame, alignment: 16)
    }

    deinit {
        unlink(ownPath)
        buffer.deallocate()
    }

    package func start(
        on loop: EventLoop, log: Log, handler: @escaping @Sendable (NetworkEvent) -> Void
    ) throws(SystemError) {
        self.handler = handler
        timer = try EventTimer(on: loop) { [weak self] in self?.handler?(.writable()) }
        sources = [
            try loop.watch(descriptor.rawValue, for: .readable, onlyChanges: true) { [weak self] _ in
                self?.handler?(.readable())
            },
            try loop.watch(watch.rawValue, for: .readable) { [weak self] _ in self?.membersChanged() },
        ]
        findMembers()
    }

    package func activate(_ offloads: ReceiveOffloads) {}

    package func stop() {
        for source in sources { source.cancel() }
        sources = []
        timer?.cancel()
        timer = nil
        handler = nil
        unlink(ownPath)
    }

    // MARK: Members

    private func membersChanged() {
        var events = [UInt8](repeating: 0, count: 4096)
        while events.withUnsafeMutableBytes({ read(watch.rawValue, $0.baseAddress, $0.count) }) > 0 {}
        findMembers()
    }

    private func findMembers() {
        members = Array(directory.members().filter { $0 != ownPath }.prefix(Self.mostMembers))
        stalled.formIntersection(members)
    }

    /// A member whose process was killed leaves its socket's file behind.
    private func remove(_ member: String) {
        unlink(member)
        members.removeAll { $0 == member }
        stalled.remove(member)
        table.forget(member)
    }

    // MARK: Frames

    package func send(_ frame: OutgoingFrame) -> Bool {
        guard let destination = MACAddress(frame.bytes) else { return true }
        guard let member = table.member(of: destination) else {
            for member in members { _ = transmit(frame, to: member) }
            return true
        }
        if transmit(frame, to: member) {
            waitingSince = nil
            return true
        }
        let now = HostClock.monotonic()
        let since = waitingSince ?? now
        if stalled.contains(member) || now - since > Self.patience {
            stalled.insert(member)
            waitingSince = nil
            return true
        }
        waitingSince = since
        timer?.schedule(at: now + Self.retryPause)
        return false
    }

    /// - Returns: false when the member has no room now.
    private func transmit(_ frame: OutgoingFrame, to member: String) -> Bool {
        let code = withUnsafeTemporaryAllocation(byteCount: OffloadHeader.size, alignment: 2) { header -> Int32 in
            frame.header.store(into: header)
            let count = aerie_datagram_send(
                descriptor.rawValue, member, header.baseAddress, header.count, frame.bytes.baseAddress,
                frame.bytes.count)
            return count == -1 ? errno : 0
        }
        switch code {
        case 0: stalled.remove(member)
        case EAGAIN, ENOBUFS: return false
        case ECONNREFUSED, ENOENT: remove(member)
        default: break
        }
        return true
    }

    package func receive() -> IncomingFrame? {
        while heldCount == 0 {
            var sender = [CChar](repeating: 0, count: 108)
            let count = aerie_datagram_receive(descriptor.rawValue, buffer.baseAddress, buffer.count, &sender)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { return nil }
            guard count >= OffloadHeader.size + Ethernet.headerSize else { continue }
            let source = MACAddress(buffer[(OffloadHeader.size + 6)...].prefix(6))
            let path = String(decoding: sender.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            if let source, members.contains(path) { table.learn(source, at: path) }
            heldCount = count
        }
        return IncomingFrame(
            header: OffloadHeader(UnsafeRawBufferPointer(rebasing: buffer[..<OffloadHeader.size])),
            bytes: UnsafeRawBufferPointer(rebasing: buffer[OffloadHeader.size..<heldCount]))
    }

    package func consume() { heldCount = 0 }
}
