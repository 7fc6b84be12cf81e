internal import HostNetwork
internal import HostSystem
internal import Synchronization
internal import Virtio

extension NetworkDevice {
    private static let mostFramesAtOnce = 256
    /// Changes of the receiving pair before other handlers of the loop have their turn.
    private static let mostChangesAtOnce = 64

    func receive(_ request: TakenRequest, _ session: VirtioSession) throws(VirtQueueError) -> RequestProgress {
        let headerSize = headerSize(session)
        let pair = request.queue / 2
        // Of a driver that uses fewer pairs than it has set up.
        guard pair < activePairs else { return .waits }
        if receiveLimiter.mustWait() { return .waits }
        while let incoming = nextFrame(for: pair, session) {
            let total = headerSize + incoming.bytes.count
            var requests = [(request: request, written: 0)]
            var room = request.chain.writable.count
            if session.has(NetworkFeature.mergedBuffers) {
                while room < total {
                    guard let next = try service?.takeNext(request) else {
                        // A queue that is full of buffers and still too small never becomes large enough.
                        if requests.count >= service?.size(of: request.queue) ?? 0 { break }
                        return .needsMore
                    }
                    requests.append((next, 0))
                    room += next.chain.writable.count
                }
            }
            if room >= total {
                deliver(incoming, into: &requests, headerSize: headerSize, session)
                receiveLimiter.count(bytes: incoming.bytes.count)
                counters.countIn(bytes: incoming.bytes.count)
                consume(pair)
                return .doneTogether(requests)
            }
            // The driver's buffers are too small for the frame.
            consume(pair)
            if requests.count > 1 {
                service?.lookLater(at: request.queue)
                return .waits
            }
        }
        return .waits
    }

    /// The next frame for this driver and pair. After many that are not, other handlers of the loop have their turn.
    private func nextFrame(for pair: Int, _ session: VirtioSession) -> IncomingFrame? {
        let isAllowed = link.withLock(\.isAllowed)
        for _ in 0..<Self.mostFramesAtOnce {
            guard let incoming = backend.receive(on: backendQueue(of: pair)) else { return nil }
            if isSteering, receiver(of: incoming) != pair {
                distributeSoon()
                return nil
            }
            if isAllowed, let destination = MACAddress(incoming.bytes), filter.admits(destination),
                session.allows(receiving: incoming.header.segmentation)
            {
                return incoming
            }
            consume(pair)
        }
        service?.lookLater(at: Self.receiveQueue(of: pair))
        return nil
    }

    private func consume(_ pair: Int) {
        backend.consume(on: backendQueue(of: pair))
        consumedCount &+= 1
        // The frame behind may be another pair's, whose driver will not notify.
        if isSteering { distributeSoon() }
    }

    private func deliver(
        _ incoming: IncomingFrame, into requests: inout [(request: TakenRequest, written: Int)], headerSize: Int,
        _ session: VirtioSession
    ) {
        var (header, bytes) = (incoming.header, incoming.bytes)
        if !session.has(NetworkFeature.guestChecksum) {
            if header.hasPartialChecksum {
                frame.copyMemory(from: bytes)
                let copy = UnsafeMutableRawBufferPointer(rebasing: frame[..<bytes.count])
                _ = InternetChecksum.complete(header, in: copy)
                bytes = UnsafeRawBufferPointer(copy)
            }
            header.flags = 0
        }
        header.flags &= OffloadHeader.needsChecksum | OffloadHeader.dataValid
        header.bufferCount = UInt16(requests.count)
        withUnsafeTemporaryAllocation(byteCount: headerSize, alignment: 2) { space in
            header.store(into: space)
            var parts = [UnsafeRawBufferPointer(space)[...], bytes[...]]
            for index in requests.indices {
                let buffers = requests[index].request.chain.writable
                var done = 0
                for part in parts.indices {
                    let piece = UnsafeRawBufferPointer(rebasing: parts[part].prefix(buffers.count - done))
                    done += buffers.write(piece, from: done, in: session.memory)
                    parts[part] = parts[part].dropFirst(piece.count)
                }
                requests[index].written = done
            }
        }
    }

    // MARK: Pairs of queues

    /// Whether frames of one stream go to several pairs of queues.
    var isSteering: Bool { activePairs > 1 && backend.queueCount == 1 }

    /// The backend's queue for a pair.
    func backendQueue(of pair: Int) -> Int { min(pair, backend.queueCount - 1) }

    /// The pair for a frame: one that the driver has set up.
    private func receiver(of frame: IncomingFrame) -> Int {
        let pair = steering.pair(for: frame.bytes, of: activePairs)
        return service?.size(of: Self.receiveQueue(of: pair)) ?? 0 > 0 ? pair : 0
    }

    /// Has the device take what waits in a queue of the network.
    func receiveFrames(from queue: Int) {
        if isSteering { distribute() } else { service?.look(at: Self.receiveQueue(of: queue)) }
    }

    /// Has the device take everything that waits.
    func receiveAll() {
        if isSteering { return distribute() }
        for pair in 0..<min(activePairs, backend.queueCount) { service?.look(at: Self.receiveQueue(of: pair)) }
    }

    /// Has each pair take its frames, in the stream's order, until there are none or the next one's pair takes none.
    private func distribute() {
        guard let service else { return }
        isDistributing = true
        defer { isDistributing = false }
        for _ in 0..<Self.mostChangesAtOnce {
            guard let incoming = backend.receive() else { return }
            let before = consumedCount
            service.look(at: Self.receiveQueue(of: receiver(of: incoming)))
            guard consumedCount != before else { return }
        }
        guard !willContinue else { return }
        willContinue = true
        service.loop.async { [weak self] in
            self?.willContinue = false
            self?.receiveAll()
        }
    }

    /// The next frame is for another pair than the one whose queue was served.
    func distributeSoon() {
        guard !isDistributing, !willDistribute, let service else { return }
        willDistribute = true
        service.loop.beforeWaiting { [weak self] in
            self?.willDistribute = false
            self?.receiveAll()
        }
    }
}
