internal import HostNetwork
internal import Synchronization
internal import Virtio

extension NetworkDevice {
    func headerSize(_ session: VirtioSession) -> Int {
        session.has(VirtioFeatures.version1) || session.has(NetworkFeature.mergedBuffers)
            ? OffloadHeader.size : OffloadHeader.legacySize
    }

    /// Frames that are too short, too long, or ask for what was not negotiated are dropped, as a network may do with any frame.
    func transmit(_ request: TakenRequest, _ session: VirtioSession) -> RequestProgress {
        let chain = request.chain
        let headerSize = headerSize(session)
        let count = chain.readable.count - headerSize
        guard (Ethernet.headerSize...Ethernet.longestFrame).contains(count) else { return .done(written: 0) }
        let header = withUnsafeTemporaryAllocation(byteCount: headerSize, alignment: 2) { bytes in
            _ = chain.readable.copy(into: bytes, in: session.memory)
            return OffloadHeader(UnsafeRawBufferPointer(bytes))
        }
        let bytes = UnsafeMutableRawBufferPointer(rebasing: frame[..<count])
        _ = chain.readable.copy(from: headerSize, into: bytes, in: session.memory)
        // A link that is down takes frames and loses them.
        guard session.allows(sending: header.segmentation), link.withLock(\.isAllowed) else { return .done(written: 0) }
        if transmitLimiter.mustWait() { return .waits }
        var sent = header
        sent.flags &= OffloadHeader.needsChecksum
        if header.hasPartialChecksum, !backend.hasPartialChecksums {
            guard InternetChecksum.complete(header, in: bytes) else { return .done(written: 0) }
            sent.flags &= ~OffloadHeader.needsChecksum
        }
        let outgoing = OutgoingFrame(header: sent, bytes: UnsafeRawBufferPointer(bytes))
        let pair = request.queue / 2
        guard backend.send(outgoing, on: backendQueue(of: pair)) else { return .waits }
        if isSteering { steering.learn(outgoing.bytes, pair: pair) }
        transmitLimiter.count(bytes: count)
        counters.countOut(bytes: count)
        return .done(written: 0)
    }

    /// Has the device send what waits, beginning with another queue each time.
    func transmitAll() {
        guard let service else { return }
        firstTransmitter = (firstTransmitter + 1) % pairCount
        for index in 0..<pairCount {
            service.look(at: Self.transmitQueue(of: (firstTransmitter + index) % pairCount))
        }
    }
}
