internal import Glibc
internal import GuestMemory
package import HostSystem
internal import SavedState

/// The files of a saved memory, by their descriptors, which stay the caller's.
package struct SavedMemoryFiles: Sendable {
    /// All of the memory, or the part that is in no other file.
    package var memory: Int32
    /// Which file has which part (`MemoryMap`); nil for all of the memory in one file.
    package var map: Int32?
    /// The files 1 and up of the map.
    package var others: [Int32]

    package init(memory: Int32, map: Int32? = nil, others: [Int32] = []) {
        self.memory = memory
        self.map = map
        self.others = others
    }

    package var descriptors: [Int32] { [memory] + (map.map { [$0] } ?? []) + others }
}

/// A saved memory as one range of bytes, whatever files it is in.
package final class SavedMemory: Sendable {
    let source: MemorySource

    /// - Throws: `badInput` for a map that is damaged, or files that are not those of the map.
    package convenience init(_ files: SavedMemoryFiles, asked: String) throws(AerieError) {
        do {
            try self.init(files)
        } catch {
            throw AerieError(
                .badInput, asked: asked, found: "its memory cannot be read: \(error)",
                advice: "remove the snapshot; it cannot be used")
        }
    }

    init(_ files: SavedMemoryFiles) throws(SavedMachineError) {
        do {
            if let file = files.map {
                let map = try Self.map(file, files: 1 + files.others.count)
                source = try MemorySource(files: [files.memory] + files.others, size: map.size, pieces: map.pieces)
            } else {
                var status = stat()
                let file = files.memory
                _ = try checked("fstat") { fstat(file, &status) }
                source = try MemorySource(files: [files.memory], size: UInt64(status.st_size))
            }
        } catch let error as SavedMachineError {
            throw error
        } catch let error as SystemError {
            throw .system(error)
        } catch { throw .state(.damaged) }
    }

    private static func map(_ descriptor: Int32, files: Int) throws -> MemoryMap {
        let file = try FileDescriptor(duplicating: descriptor)
        var bytes = [UInt8](repeating: 0, count: MemoryMap.longest + 1)
        let count = try bytes.withUnsafeMutableBufferPointer { (buffer) throws(SystemError) in
            try file.read(at: 0, into: UnsafeMutableRawBufferPointer(buffer))
        }
        return try MemoryMap(encoded: Array(bytes[..<count]), files: files)
    }

    /// Bytes of the memory.
    package var size: UInt64 { source.size }

    /// The next range at or after an offset that may have other contents than zeroes.
    package func nextData(from offset: UInt64) throws(SystemError) -> Range<UInt64>? {
        try source.nextData(from: offset)
    }

    /// Fills a buffer with the bytes at an offset.
    ///
    /// - Throws: EIO when a file ends early: somebody shortens it just now.
    package func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(SystemError) {
        var done = 0
        while done < buffer.count {
            let count = try source.read(
                at: offset + UInt64(done), into: UnsafeMutableRawBufferPointer(rebasing: buffer[done...]))
            guard count > 0 else { throw SystemError("read of a saved memory", code: EIO) }
            done += count
        }
    }

    // MARK: Damage

    /// Compares all of the memory with its checksums.
    func fault(size: UInt64, checksums: [UInt8]) -> MemoryImage.Fault? {
        do {
            try MemoryImage.check(self, size: size, checksums: checksums)
            return nil
        } catch { return error }
    }

    /// Where a fault is, as the end of a sentence: the names of the snapshots whose files it may be in; empty when that is not known.
    ///
    /// - Parameters:
    ///   - owners: the name of the snapshot that each file was made for.
    ///   - suspects: numbers of files that may have changed.
    func place(of fault: MemoryImage.Fault, _ owners: [String], _ suspects: Set<Int>) -> String {
        guard case .block(let offset) = fault else { return "" }
        let used = files(of: offset..<min(offset + UInt64(MemoryImage.blockSize), size))
        let likely = used.filter(suspects.contains)
        let names = (likely.isEmpty ? used : likely).filter(owners.indices.contains).map { "'\(owners[$0])'" }
        return names.isEmpty ? "" : ", in the file of snapshot \(names.joined(separator: " or "))"
    }

    /// The numbers of the files that have a part of a range, ascending.
    func files(of range: Range<UInt64>) -> [Int] {
        Set(source.pieces.filter { $0.range.overlaps(range) }.map(\.file)).sorted()
    }
}
