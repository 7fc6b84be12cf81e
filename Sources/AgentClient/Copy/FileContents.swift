internal import CFileSystem
internal import Glibc
internal import HostSystem
internal import TarStream

/// The bytes of a file on their way into an archive: as many as its header says, whatever happens to the file meanwhile.
final class FileContents {
    private let descriptor: FileDescriptor
    let path: [UInt8]
    private let segments: [TarSegment]
    private var segment = 0
    private var done: UInt64 = 0
    /// The bytes that the archive has of the file.
    let stored: UInt64
    /// The reason why bytes are zeroes that should be the file's.
    private(set) var fault: TreeFault?

    init(_ descriptor: consuming FileDescriptor, path: [UInt8], size: UInt64, segments: [TarSegment]?) {
        self.descriptor = descriptor
        self.path = path
        self.segments = segments ?? (size > 0 ? [TarSegment(offset: 0, size: size)] : [])
        stored = self.segments.reduce(0) { $0 + $1.size }
    }

    /// Where a file with holes has data; nil for a file without holes, and for one in too many pieces.
    static func segments(_ file: Int32, _ status: aerie_file_status) -> [TarSegment]? {
        guard status.size > 0, status.blocks < status.size / 512 else { return nil }
        var segments: [TarSegment] = []
        var offset: Int64 = 0
        while UInt64(offset) < status.size {
            let start = aerie_fs_seek(file, offset, 0)
            // ENXIO: a hole up to the end.
            guard start >= 0 else { return errno == ENXIO ? segments : nil }
            let end = aerie_fs_seek(file, start, 1)
            guard end > start, segments.count < TarWriter.mostSegments else { return nil }
            let limit = min(UInt64(end), status.size)
            guard UInt64(start) < limit else { break }
            segments.append(TarSegment(offset: UInt64(start), size: limit - UInt64(start)))
            offset = end
        }
        return segments
    }

    /// Writes the next bytes into `room`, which is not empty; 0 at the end.
    func read(into room: UnsafeMutableRawBufferPointer) -> Int {
        while segment < segments.count {
            let present = segments[segment]
            if done == present.size {
                segment += 1
                done = 0
                continue
            }
            let wanted = Int(min(UInt64(room.count), present.size - done))
            let count = readFile(UnsafeMutableRawBufferPointer(rebasing: room[..<wanted]), present.offset + done)
            done += UInt64(count)
            return count
        }
        return 0
    }

    private func readFile(_ room: UnsafeMutableRawBufferPointer, _ offset: UInt64) -> Int {
        if fault == nil {
            do throws(SystemError) {
                let count = try descriptor.read(at: offset, into: room)
                if count > 0 { return count }
                fault = .changed
            } catch {
                fault = .system(error)
            }
        }
        // The header has promised the bytes.
        room.initializeMemory(as: UInt8.self, repeating: 0)
        return room.count
    }
}
