import DiskImages
import Glibc
import HostSystem
import SavedState

/// A disk in an array, that can be told to fail or to hold requests back, as a host does whose disk is slow.
///
/// Held requests cannot be cancelled: they are carried out when they are let go, whatever has become of their device.
final class MemoryDisk: DiskImage, @unchecked Sendable {
    // @unchecked: everything that changes is behind the monitor.
    struct State {
        var bytes: [UInt8]
        var error: DiskImageError?
        var isHeld = false
        var entered = 0
        /// The thread that submitted the last request.
        var submitter: UInt = 0
        var flushes = 0
        var discards: [Range<UInt64>] = []
        var held: [@Sendable () -> Void] = []
    }

    let size: UInt64
    let isReadOnly: Bool
    let state: Monitor<State>

    init(sectors: Int, isReadOnly: Bool = false) {
        size = UInt64(sectors) * 512
        self.isReadOnly = isReadOnly
        state = Monitor(State(bytes: (0..<sectors * 512).map { UInt8(truncatingIfNeeded: $0 / 512 &* 7 &+ $0) }))
    }

    // MARK: Requests

    func submit(_ request: DiskRequest, in group: IOGroup, completion: @escaping DiskCompletion) {
        let loop = group.io.loop
        let serve: @Sendable () -> Void = { [self] in
            var result: DiskImageError?
            do throws(DiskImageError) { try perform(request) } catch { result = error }
            loop.async { [result] in completion(result) }
        }
        let isHeld = state.update { state in
            state.entered += 1
            state.submitter = UInt(pthread_self())
            if state.isHeld { state.held.append(serve) }
            return state.isHeld
        }
        if !isHeld { serve() }
    }

    func hold() { state.update { $0.isHeld = true } }

    /// Carries out what was held, the last first or in the order of its arrival.
    func letGo(lastFirst: Bool = false) {
        let held = state.update { state in
            state.isHeld = false
            defer { state.held = [] }
            return state.held
        }
        for serve in lastFirst ? held.reversed() : held { serve() }
    }

    // MARK: What they do

    private func access<Result>(
        _ offset: UInt64, _ count: Int, _ body: (inout State) -> Result
    ) throws(DiskImageError) -> Result {
        precondition(offset + UInt64(count) <= size, "the device checks ranges")
        if let error = state.withLock({ $0.error }) { throw error }
        return state.withLock(body)
    }

    func read(at offset: UInt64, into buffers: IOBuffers) throws(DiskImageError) {
        try access(offset, buffers.count) { state in
            var position = Int(offset)
            for vector in buffers.vectors {
                state.bytes.withUnsafeBytes { _ = memcpy(vector.iov_base, $0.baseAddress! + position, vector.iov_len) }
                position += vector.iov_len
            }
        }
    }

    func write(at offset: UInt64, from buffers: IOBuffers) throws(DiskImageError) {
        try access(offset, buffers.count) { state in
            var position = Int(offset)
            for vector in buffers.vectors {
                state.bytes.withUnsafeMutableBytes {
                    _ = memcpy($0.baseAddress! + position, vector.iov_base, vector.iov_len)
                }
                position += vector.iov_len
            }
        }
    }

    func close() {}

    func save() throws(SavedStateError) -> SavedRecord { SavedRecord(kind: "memory-disk", version: 1) }
    func verify(_ saved: SavedRecord) throws(SavedStateError) { try saved.expect(kind: "memory-disk", versions: 1...1) }

    func flush() throws(DiskImageError) { try access(0, 0) { $0.flushes += 1 } }

    func discard(at offset: UInt64, count: UInt64) throws(DiskImageError) {
        try access(offset, Int(count)) { $0.discards.append(offset..<offset + count) }
    }

    func writeZeroes(at offset: UInt64, count: UInt64, mayUnmap: Bool) throws(DiskImageError) {
        try access(offset, Int(count)) { state in
            for index in Int(offset)..<Int(offset + count) { state.bytes[index] = 0 }
        }
    }

    var bytes: [UInt8] { state.withLock { $0.bytes } }
}
