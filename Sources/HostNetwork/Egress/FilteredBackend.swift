package import HostSystem

/// A network behind an egress policy, which lies outside of the guest.
package final class FilteredBackend: NetworkBackend, @unchecked Sendable {
    // @unchecked: what changes is used on the loop's thread, or before and after the loop's handlers.

    /// The most answers of the policy that wait for the guest.
    private static let mostAnswers = 64

    private let base: any NetworkBackend
    private let name: String
    private var policy: EgressPolicy
    private var refusedCount = 0
    // The answer that the card reads, at a place that stays until `consume`.
    private var answers: [UnsafeMutableRawBufferPointer] = []
    private var isAnswerHeld = false
    private var loop: EventLoop?
    private var log = Log.silent
    private var handler: (@Sendable (NetworkEvent) -> Void)?

    /// - Parameters:
    ///   - base: the network; this object is its only user.
    ///   - rules: the destinations that the guest may reach.
    ///   - name: the card's name in the log.
    ///   - hostAddress: the address that leads to the host's loopback; nil where none does.
    ///   - publishedPorts: the guest's ports that connections from outside may reach.
    package init(
        _ base: any NetworkBackend, rules: [EgressRule], hostAddress: IPAddress?,
        publishedPorts: Set<PublishedGuestPort>, name: String
    ) {
        self.base = base
        self.name = name
        policy = EgressPolicy(rules: rules, hostAddress: hostAddress, publishedPorts: publishedPorts)
    }

    deinit { for answer in answers { answer.deallocate() } }

    package var mtu: UInt16 { base.mtu }
    // Offloads change a frame after it was judged: the guest chooses where a checksum goes.
    package let hasPartialChecksums = false
    package let hasSegmentation = false
    package var isLinkUp: Bool { base.isLinkUp }

    package func start(
        on loop: EventLoop, log: Log, handler: @escaping @Sendable (NetworkEvent) -> Void
    ) throws(SystemError) {
        self.loop = loop
        self.log = log
        self.handler = handler
        try base.start(on: loop, log: log, handler: handler)
    }

    package func activate(_ offloads: ReceiveOffloads) { base.activate(offloads) }

    package func stop() {
        base.stop()
        handler = nil
        loop = nil
        if refusedCount > 0 {
            log.note(.info, name, cause: "egress total", "the egress policy refused \(refusedCount) packets in all")
        }
    }

    package func save() -> [UInt8] { policy.savedResolvers }
    package func restore(_ saved: [UInt8]) { policy.savedResolvers = saved }

    private var now: UInt64 { HostClock.monotonic() / 1_000_000_000 }

    package func send(_ frame: OutgoingFrame) -> Bool {
        guard case .refuse(let answer, let subject) = policy.judge(frame.bytes, now: now) else {
            return base.send(frame)
        }
        refusedCount += 1
        log.note(.info, name, cause: "egress refused", "the egress policy refused \(subject)")
        if let answer, answers.count < Self.mostAnswers {
            let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: answer.count, alignment: 1)
            copy.copyBytes(from: answer)
            answers.append(copy)
            // The card is at work on its transmit queue now.
            loop?.async { [self] in handler?(.readable()) }
        }
        return true
    }

    package func receive() -> IncomingFrame? {
        if let answer = answers.first {
            isAnswerHeld = true
            var header = OffloadHeader()
            header.flags = OffloadHeader.dataValid
            return IncomingFrame(header: header, bytes: UnsafeRawBufferPointer(answer))
        }
        guard let frame = base.receive() else { return nil }
        policy.observe(frame.bytes, now: now)
        return frame
    }

    package func consume() {
        guard isAnswerHeld else { return base.consume() }
        isAnswerHeld = false
        answers.removeFirst().deallocate()
    }
}
