internal import HostSystem

// Requests that need no thread: reads, and writes of whole clusters or of clusters that lie in the changes already. The map is
// asked when the request begins. A bit that is set later belongs to a write that overlaps the request in time.
extension OverlayDiskImage {
    package func submit(_ request: DiskRequest, in group: IOGroup, completion: @escaping DiskCompletion) {
        // Without a ring every request occupies a thread anyway, and then one for the whole request is the least.
        guard group.io.usesRing else { return submitBlocking(request, in: group, completion: completion) }
        switch request.operation {
        case .read: submitRead(request, in: group, completion)
        case .write: submitWrite(request, in: group, completion)
        case .flush: group.io.finish(completion, nil)
        case .discard, .writeZeroes: submitBlocking(request, in: group, completion: completion)
        }
    }

    private func submitRead(_ request: DiskRequest, in group: IOGroup, _ completion: @escaping DiskCompletion) {
        let isPossible = passes(in: group, completion: completion) { () throws(DiskImageError) in
            try checkRange(request.offset, request.count)
        }
        guard isPossible else { return }
        guard request.count > 0 else { return group.io.finish(completion, nil) }
        let end = request.offset + request.count
        var position = request.offset
        let parts = RequestParts(completion)
        while position < end {
            let run = self.run(from: position, to: end)
            let part = request.buffers.slice(from: Int(position - request.offset), count: Int(run.end - position))
            parts.add()
            if run.isChanged {
                transfer(FileTransfer(.read(present: .max), changes, at: position, part), in: group, parts.finish)
            } else {
                base.submit(.read(at: position, into: part), in: group, completion: parts.finish)
            }
            position = run.end
        }
    }

    private func submitWrite(_ request: DiskRequest, in group: IOGroup, _ completion: @escaping DiskCompletion) {
        let isPossible = passes(in: group, completion: completion) { () throws(DiskImageError) in
            try checkRange(request.offset, request.count)
        }
        guard isPossible else { return }
        guard request.count > 0 else { return group.io.finish(completion, nil) }
        let clusters = Self.clusters(request.offset, request.count)
        let writing = FileTransfer(.write, changes, at: request.offset, request.buffers)
        if written.contains(all: clusters) { return transfer(writing, in: group, completion) }
        let isWhole =
            request.offset % Self.clusterSize == 0 && (request.offset + request.count) % Self.clusterSize == 0
        let isClaimed =
            isWhole
            && claims.withLock { claims in
                if claims.contains(where: { $0.overlaps(clusters) }) { return false }
                claims.append(clusters)
                return true
            }
        guard isClaimed else { return submitBlocking(request, in: group, completion: completion) }
        transfer(writing, in: group) { [self] error in
            if error == nil { written.insert(clusters) }
            release(clusters)
            completion(error)
        }
    }

    private func transfer(_ transfer: FileTransfer, in group: IOGroup, _ completion: @escaping DiskCompletion) {
        // The completion keeps the file open.
        let operation = FileOperation(transfer, in: group) { [self] error in
            withExtendedLifetime(self) { completion(error) }
        }
        group.io.submit(operation)
    }
}
