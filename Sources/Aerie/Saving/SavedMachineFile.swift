internal import GuestMemory
internal import HostSystem
internal import SavedState

// A saved machine is a file, little endian:
//
//     offset  size  field
//          0     8  magic "AERIEVM\n"
//          8     4  format version, 1
//         12     4  0
//         16     8  length of the state in bytes
//         24     n  the state: an encoded SavedRecord, which has a checksum of its own
//        then       runs of guest memory, ascending: u64 offset in memory, u64 length, u32 CRC-32C of the data, u32 0, data
//        last       a run of length 0 whose offset is the size of the memory and whose checksum is that of its header
//
// Memory that no run covers is zero.

/// Writes and reads saved machines.
enum SavedMachineFile {
    private static let magic = Array("AERIEVM\n".utf8)
    private static let version: UInt32 = 1
    /// The state of processors and devices: some kilobytes each, flash and queues more.
    private static let stateLimit: UInt64 = 256 << 20
    /// Bytes of memory in a run, at most; and what is read at once.
    private static let runLimit: UInt64 = 1 << 20
    private static let pageSize: UInt64 = 4096

    // MARK: Writing

    static func write(_ state: SavedRecord, memory: GuestMemory, to file: borrowing FileDescriptor) throws(SystemError)
    {
        let encoded = state.encoded()
        try file.append(magic + bytes(version) + bytes(UInt32(0)) + bytes(UInt64(encoded.count)) + encoded)
        var position: UInt64 = 0
        while let data = try memory.file.nextData(from: position) {
            position = data.lowerBound
            while position < data.upperBound {
                let end = min(position + runLimit, data.upperBound)
                try writeRuns(position..<end, memory: memory, to: file)
                position = end
            }
        }
        try file.append(header(offset: memory.size, count: 0, checksum: CRC32C.checksum(of: bytes(memory.size))))
        try file.synchronize()
    }

    /// Writes the pages of `range` that are not zero.
    private static func writeRuns(
        _ range: Range<UInt64>, memory: GuestMemory, to file: borrowing FileDescriptor
    ) throws(SystemError) {
        var start: UInt64?
        for page in stride(from: range.lowerBound, to: range.upperBound, by: Int(pageSize)) {
            if isZero(memory, page) {
                if let begin = start { try writeRun(begin..<page, memory: memory, to: file) }
                start = nil
            } else if start == nil {
                start = page
            }
        }
        if let begin = start { try writeRun(begin..<range.upperBound, memory: memory, to: file) }
    }

    private static func writeRun(
        _ range: Range<UInt64>, memory: GuestMemory, to file: borrowing FileDescriptor
    ) throws(SystemError) {
        // vCPUs and devices are paused: the bytes stay as they are.
        let data = UnsafeRawBufferPointer(
            start: memory.hostBase + Int(range.lowerBound), count: Int(range.upperBound - range.lowerBound))
        try file.append(
            header(offset: range.lowerBound, count: UInt64(data.count), checksum: CRC32C.checksum(of: data)))
        try file.writeAll(data)
    }

    private static func isZero(_ memory: GuestMemory, _ offset: UInt64) -> Bool {
        let words = UnsafeRawBufferPointer(start: memory.hostBase + Int(offset), count: Int(pageSize))
            .bindMemory(to: UInt64.self)
        return words.allSatisfy { $0 == 0 }
    }

    private static func header(offset: UInt64, count: UInt64, checksum: UInt32) -> [UInt8] {
        bytes(offset) + bytes(count) + bytes(checksum) + bytes(UInt32(0))
    }

    private static func bytes(_ value: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }

    // MARK: Reading

    /// Reads the state, and leaves `file` at the memory that belongs to it.
    static func readState(from file: borrowing FileDescriptor) throws(SavedMachineError) -> SavedRecord {
        let head = try read(24, from: file)
        guard head.starts(with: magic) else { throw .state(.notAState) }
        let found: UInt32 = integer(head, at: 8)
        guard found == version else { throw .state(.unknownFormat(found)) }
        let length: UInt64 = integer(head, at: 16)
        guard length <= stateLimit else { throw .state(.tooLarge(bytes: length, limit: stateLimit)) }
        let encoded = try read(Int(length), from: file)
        do {
            return try SavedRecord(encoded: encoded, limit: stateLimit)
        } catch {
            throw .state(error)
        }
    }

    /// Reads runs into fresh memory, up to and including the last one.
    static func readMemory(_ memory: GuestMemory, from file: borrowing FileDescriptor) throws(SavedMachineError) {
        var position: UInt64 = 0
        while true {
            let head = try read(24, from: file)
            let offset: UInt64 = integer(head, at: 0)
            let count: UInt64 = integer(head, at: 8)
            let checksum: UInt32 = integer(head, at: 16)
            if count == 0 {
                guard offset == memory.size, checksum == CRC32C.checksum(of: bytes(offset)) else {
                    throw .state(.damaged)
                }
                return
            }
            guard offset >= position, offset % pageSize == 0, count % pageSize == 0, count <= runLimit,
                offset < memory.size, count <= memory.size - offset
            else { throw .state(.damaged) }
            let target = UnsafeMutableRawBufferPointer(start: memory.hostBase + Int(offset), count: Int(count))
            try read(into: target, from: file)
            guard CRC32C.checksum(of: target) == checksum else { throw .state(.damaged) }
            position = offset + count
        }
    }

    private static func read(_ count: Int, from file: borrowing FileDescriptor) throws(SavedMachineError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var failure: SavedMachineError?
        bytes.withUnsafeMutableBytes { buffer in
            do throws(SavedMachineError) { try read(into: buffer, from: file) } catch { failure = error }
        }
        if let failure { throw failure }
        return bytes
    }

    private static func read(
        into buffer: UnsafeMutableRawBufferPointer, from file: borrowing FileDescriptor
    ) throws(SavedMachineError) {
        var done = 0
        while done < buffer.count {
            do {
                let count = try file.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[done...]))
                guard count > 0 else { throw SavedStateError.truncated }
                done += count
            } catch let error as SystemError {
                throw .system(error)
            } catch {
                throw .state(.truncated)
            }
        }
    }

    private static func integer<Integer: FixedWidthInteger>(_ bytes: [UInt8], at offset: Int) -> Integer {
        (0..<MemoryLayout<Integer>.size).reduce(0) { $0 | Integer(bytes[offset + $1]) << Integer(8 * $1) }
    }
}

/// Why a saved machine could not be read.
enum SavedMachineError: Error, CustomStringConvertible {
    case state(SavedStateError)
    case system(SystemError)

    var description: String {
        switch self {
        case .state(let error): error.description
        case .system(let error): error.description
        }
    }
}

extension FileDescriptor {
    fileprivate borrowing func append(_ bytes: [UInt8]) throws(SystemError) {
        var failure: SystemError?
        bytes.withUnsafeBytes { buffer in
            do throws(SystemError) { try writeAll(buffer) } catch { failure = error }
        }
        if let failure { throw failure }
    }
}
