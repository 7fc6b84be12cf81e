import DiskImages
import HostSystem
import SavedState

/// The ways to have a request served. The same tests hold for all of them.
enum Way: CaseIterable, CustomStringConvertible {
    /// By a call that blocks.
    case blocking
    /// Submitted, with the kernel's ring where the host has it.
    case ring
    /// Submitted, with threads only.
    case threads

    var description: String {
        switch self {
        case .blocking: "blocking"
        case .ring: "ring"
        case .threads: "threads"
        }
    }

    /// An image whose blocking calls go this way to `image`.
    func of(_ image: any DiskImage) throws -> any DiskImage {
        switch self {
        case .blocking: image
        case .ring: try SubmittingImage(image, method: .automatic)
        case .threads: try SubmittingImage(image, method: .threads)
        }
    }
}

/// Serves blocking calls by requests that it submits and waits for.
final class SubmittingImage: DiskImage {
    let image: any DiskImage
    let io: DiskIO
    private let loop: EventLoop
    private let group: IOGroup

    init(_ image: any DiskImage, method: DiskIO.Method) throws {
        self.image = image
        loop = try EventLoop(name: "test-loop")
        io = DiskIO(loop: loop, method: method)
        group = IOGroup(io)
        try loop.start()
    }

    deinit { loop.stop() }

    var size: UInt64 { image.size }
    var isReadOnly: Bool { image.isReadOnly }

    private func wait(_ request: DiskRequest) throws(DiskImageError) {
        let result = Monitor<DiskImageError??>(nil)
        loop.async { [image, group] in
            let isSubmitting = Monitor(true)
            image.submit(request, in: group) { error in
                precondition(!isSubmitting.withLock { $0 }, "the completion comes after the submission")
                result.update { $0 = .some(error) }
            }
            isSubmitting.update { $0 = false }
        }
        if let error = result.wait({ $0 }) ?? nil { throw error }
    }

    func read(at offset: UInt64, into buffers: IOBuffers) throws(DiskImageError) {
        try wait(.read(at: offset, into: buffers))
    }

    func write(at offset: UInt64, from buffers: IOBuffers) throws(DiskImageError) {
        try wait(.write(at: offset, from: buffers))
    }

    func flush() throws(DiskImageError) { try wait(.flush) }

    func discard(at offset: UInt64, count: UInt64) throws(DiskImageError) {
        try wait(.discard(at: offset, count: count))
    }

    func writeZeroes(at offset: UInt64, count: UInt64, mayUnmap: Bool) throws(DiskImageError) {
        try wait(.writeZeroes(at: offset, count: count, mayUnmap: mayUnmap))
    }

    func save() throws(SavedStateError) -> SavedRecord { try image.save() }
    func verify(_ saved: SavedRecord) throws(SavedStateError) { try image.verify(saved) }
    func close() { image.close() }
}
