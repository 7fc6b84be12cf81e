internal import Glibc
internal import GuestMemory
internal import HostSystem
package import SavedState
package import SharedFolders
package import Virtio

/// A shared folder (VIRTIO 1.2, section 5.11): requests of the FUSE protocol in two queues, of which the first one is for those that must not
/// wait behind others.
///
///     offset  size  configuration
///          0    36  tag, by which the guest mounts the folder, filled up with NUL
///         36     4  number of request queues
///
/// A request that the host can answer from memory is answered at once. Others wait for the host on threads of the share's
/// own, so that a slow folder holds up nothing else.
package final class FileSystemDevice: VirtioDevice, @unchecked Sendable {
    // @unchecked: `service`, `pending` and `lastJob` are touched on the loop's thread, or while nothing runs.

    static let highPriorityQueue = 0
    static let requestQueue = 1
    /// The longest tag in bytes.
    package static let longestTag = 36
    /// The most requests of a share that wait for the host at a time.
    private static let threads = 4

    package let type = VirtioDeviceType.fileSystem
    package let features: UInt64 = 0
    // The largest request has 256 pages of data, and the guest's kernel keeps requests within the size of the queue.
    package let queueSizes: [UInt16] = [128, 1024]
    // Names and cached data are answered in less time than a thread takes to wake up.
    package let servesNotifier = true
    package let configuration: [UInt8]
    package var configurationGeneration: UInt32 { 0 }

    private let server: FileServer
    private let pool = WorkerPool(limit: threads)
    private var service: QueueService?
    private var pending: [UInt64: FileJob] = [:]
    private var lastJob: UInt64 = 0

    /// - Parameters:
    ///   - tag: 1 to 36 bytes of UTF-8.
    ///   - server: serves the folder; the device is its only user.
    package init(tag: String, server: FileServer) {
        precondition((1...Self.longestTag).contains(tag.utf8.count), "validation bounds the tag")
        self.server = server
        let name = Array(tag.utf8)
        configuration = name + Array(repeating: 0, count: Self.longestTag - name.count) + [1, 0, 0, 0]
    }

    package func writeConfiguration(_ bytes: [UInt8], at offset: Int) {}

    // MARK: Requests

    package func serve(_ taken: TakenRequest, _ session: VirtioSession) throws(VirtQueueError) -> RequestProgress {
        let job = try FileJob(taken, session.memory)
        if let reply = server.serve(job.request, immediate: true) {
            return .done(written: job.write(reply))
        }
        guard let service else { return .waits }
        let waiting = server.isLocal ? job : job.withOwnMemory()
        lastJob += 1
        let number = lastJob
        pending[number] = waiting
        do {
            try pool.run { [server, loop = service.loop, weak self] in
                let reply = server.serve(waiting.request, immediate: false) ?? .failure(EIO)
                loop.visitOrAsync { [weak self] in self?.finish(number, reply) }
            }
        } catch {
            pending[number] = nil
            return .done(written: job.write(.failure(ENOMEM)))
        }
        return .pending
    }

    private func finish(_ number: UInt64, _ reply: FileReply) {
        guard let job = pending.removeValue(forKey: number) else { return }
        // Also after an error or a reset: the host may have written a part.
        job.markTransfer()
        service?.finish(job.taken) { job.write(reply) }
    }

    /// Requests that use the guest's memory are waited for: the host would go on writing there.
    package func abandon(queue index: Int) {
        for (number, job) in pending where job.taken.queue == index && !job.usesGuestMemory {
            pending[number] = nil
            service?.finish(job.taken) { 0 }
        }
    }

    // MARK: Lifecycle

    package func start(_ service: QueueService) { self.service = service }
    package func reset() {
        let remains = server.reset()
        // Closing files may wait for a server of files. Without a thread, they are closed here.
        if server.isLocal || (try? pool.run { remains.close() }) == nil { remains.close() }
    }

    package func stop() {
        service = nil
        reset()
        pool.stop()
    }

    // MARK: State

    package func save() throws(SavedStateError) -> SavedRecord {
        var record = SavedRecord(kind: "virtio-file-system", version: 1)
        record.set("tag", Array(configuration.prefix(Self.longestTag)))
        record.set("folder", server.save())
        return record
    }

    package func restore(_ state: SavedRecord) throws(SavedStateError) {
        try state.expect(kind: "virtio-file-system", versions: 1...1)
        guard try state.bytes("tag", limit: Self.longestTag) == Array(configuration.prefix(Self.longestTag)) else {
            throw .badField(kind: state.kind, field: "tag")
        }
        try server.restore(try state.record("folder"))
    }
}
