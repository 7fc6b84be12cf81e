internal import HostSystem
internal import Synchronization

// Requests that need no thread: reads of what is not compressed and writes to clusters that have their place, as long as the tables
// that say so are in memory.
extension Qcow2DiskImage {
    package func submit(_ request: DiskRequest, in group: IOGroup, completion: @escaping DiskCompletion) {
        // Without a ring every request occupies a thread anyway, and then one for the whole request is the least.
        guard group.io.usesRing else { return submitBlocking(request, in: group, completion: completion) }
        switch request.operation {
        case .read, .write: submitTransfer(request, in: group, completion)
        case .flush where isReadOnly || !synchronizes && !hasChangedTables.load(ordering: .acquiring):
            group.io.finish(completion, nil)
        case .flush where !hasChangedTables.load(ordering: .acquiring):
            transfer(FileTransfer(.synchronize, file.descriptor), in: group, completion)
        case .flush, .discard, .writeZeroes: submitBlocking(request, in: group, completion: completion)
        }
    }

    private func submitTransfer(_ request: DiskRequest, in group: IOGroup, _ completion: @escaping DiskCompletion) {
        let isWrite = request.operation == .write
        let isPossible = passes(in: group, completion: completion) { () throws(DiskImageError) in
            if isWrite { try checkChange(request.offset, request.count) }
            try checkRange(request.offset, request.count)
        }
        guard isPossible else { return }
        guard request.count > 0 else { return group.io.finish(completion, nil) }
        let epoch = uses.begin()
        guard let found = parts(of: request) else {
            uses.end(epoch)
            return submitBlocking(request, in: group, completion: completion)
        }
        let parts = RequestParts { [self] error in
            uses.end(epoch)
            completion(error)
        }
        for part in found {
            let start = Int(part.range.lowerBound - request.offset)
            let buffers = request.buffers.slice(from: start, count: Int(part.count))
            parts.add()
            if isWrite {
                submitWrite(part, buffers, in: group, parts)
            } else {
                submitRead(part, buffers, in: group, parts)
            }
        }
    }

    /// Where the request's bytes are; nil when a thread has to find out, or to do the request.
    private func parts(of request: DiskRequest) -> [Qcow2Part]? {
        let end = request.offset + request.count
        return tables.withLock { tables in
            var result: [Qcow2Part] = []
            var position = request.offset
            while position < end {
                // An error is found again by the thread, which reports it.
                guard case .part(let part)? = try? tables.lookup(position, limit: end),
                    isQuick(part, request.operation)
                else { return nil }
                result.append(part)
                position = part.range.upperBound
            }
            return result
        }
    }

    private func isQuick(_ part: Qcow2Part, _ operation: DiskRequest.Operation) -> Bool {
        switch part.content {
        case .compressed: false
        case .data(let host) where operation == .write:
            host.isOwned && !(structures?.overlap(host.offset..<host.offset + part.count) ?? true)
        case .unallocated, .zero, .data: operation == .read
        }
    }

    private func submitRead(_ part: Qcow2Part, _ buffers: IOBuffers, in group: IOGroup, _ parts: RequestParts) {
        switch part.content {
        case .data(let host):
            transfer(
                FileTransfer(.read(present: 0), file.descriptor, at: host.offset, buffers), in: group, parts.finish)
        case .unallocated:
            let present = baseCount(at: part.range.lowerBound, of: part.count)
            buffers.slice(from: Int(present), count: buffers.count - Int(present)).clear()
            guard let base, present > 0 else { return group.io.finish(parts.finish, nil) }
            let wanted = buffers.slice(from: 0, count: Int(present))
            base.submit(.read(at: part.range.lowerBound, into: wanted), in: group, completion: parts.finish)
        case .zero, .compressed:
            buffers.clear()
            group.io.finish(parts.finish, nil)
        }
    }

    private func submitWrite(_ part: Qcow2Part, _ buffers: IOBuffers, in group: IOGroup, _ parts: RequestParts) {
        guard case .data(let host) = part.content else { preconditionFailure("a quick write has its place") }
        transfer(FileTransfer(.write, file.descriptor, at: host.offset, buffers), in: group, parts.finish)
    }

    private func transfer(_ transfer: FileTransfer, in group: IOGroup, _ completion: @escaping DiskCompletion) {
        // The completion keeps the file open.
        let operation = FileOperation(transfer, in: group) { [self] error in
            withExtendedLifetime(self) { completion(error) }
        }
        group.io.submit(operation)
    }
}
