internal import CLinux
internal import Glibc
internal import HostSystem

/// The parts of a code cache that execute from a file of saved code, which other machines have mapped, too.
///
/// The cache's mapping for execution shows the file there. Before something in a part changes, the part is copied to the cache's own
/// memory, and the mapping shows that from then on: in one step, so that processors may execute the code meanwhile.
final class AdoptedCode {
    /// Bytes that are copied together.
    private let partSize: Int
    /// What a part of the mapping for execution shows.
    private enum Source {
        /// The cache's memory, where nothing was adopted.
        case cache
        case file
        /// The cache's memory, by the part of `spare` that was moved there.
        case spare
    }

    /// By the numbers of the parts.
    private var sources: [Source]

    private let writable: UnsafeMutableRawPointer
    private let executable: UnsafeMutableRawPointer
    /// A second mapping of the cache's own memory for execution. Its parts are moved to `executable` one by one: no mapping with the right to
    /// execute is made when the process has given up that right.
    private let spare: UnsafeMutableRawPointer
    private let capacity: Int

    /// A process has some 65000 mappings at most, of which each part may need three.
    private static let mostParts = 4096
    private static let leastPartSize = 16384

    /// - Parameters:
    ///   - writable: the cache's memory, mapped for writing.
    ///   - executable: the same memory, mapped for execution.
    ///   - memory: the cache's memory file.
    ///   - capacity: bytes of it.
    init(
        writable: UnsafeMutableRawPointer, executable: UnsafeMutableRawPointer, memory: borrowing FileDescriptor,
        capacity: Int
    ) throws(SystemError) {
        self.writable = writable
        self.executable = executable
        self.capacity = capacity
        var size = Self.leastPartSize
        while capacity / size > Self.mostParts { size *= 2 }
        partSize = size
        sources = Array(repeating: .cache, count: (capacity + size - 1) / size)
        guard
            let spare = mmap(
                nil, capacity, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_NORESERVE, memory.rawValue, 0),
            spare != MAP_FAILED
        else { throw .last("mmap of \(capacity) bytes") }
        self.spare = spare
    }

    deinit {
        // What was moved away may be somebody else's by now.
        for parts in Self.runs(of: sources, otherThan: .spare) {
            let range = bytes(of: parts)
            munmap(spare + range.lowerBound, range.count)
        }
    }

    /// Neighbours without `excluded` in between. One call for each run: a call for each part would split the mapping thousands of times.
    static func runs<Element: Equatable>(of elements: [Element], otherThan excluded: Element) -> [Range<Int>] {
        var runs: [Range<Int>] = []
        var start = 0
        for index in 0...elements.count where index == elements.count || elements[index] == excluded {
            if start < index { runs.append(start..<index) }
            start = index + 1
        }
        return runs
    }

    private func bytes(of parts: Range<Int>) -> Range<Int> {
        parts.lowerBound * partSize..<min(parts.upperBound * partSize, capacity)
    }

    /// The parts with some bytes.
    private func parts(of bytes: Range<Int>) -> Range<Int> {
        bytes.lowerBound / partSize..<(bytes.upperBound + partSize - 1) / partSize
    }

    /// Takes code over from a file: whole parts are mapped, and the others copied. Nothing executes in the cache.
    ///
    /// - Parameters:
    ///   - code: positions in the cache.
    ///   - own: the end of the cache's first code, which stays its own.
    ///   - offset: of the position 0 in the file.
    func adopt(
        _ code: Range<Int>, behind own: Int, from file: borrowing FileDescriptor, at offset: Int
    ) throws(SystemError) {
        let parts = parts(of: code)
        let shared = parts.clamped(to: self.parts(of: 0..<own).upperBound..<sources.count)
        guard map(bytes(of: shared), of: file, at: offset) else {
            return try copy(bytes(of: parts).clamped(to: own..<capacity), of: file, at: offset)
        }
        for part in shared { sources[part] = .file }
        try copy(bytes(of: parts.lowerBound..<shared.lowerBound).clamped(to: own..<capacity), of: file, at: offset)
    }

    /// False where files cannot be mapped for execution (file systems that are mounted so).
    private func map(_ range: Range<Int>, of file: borrowing FileDescriptor, at offset: Int) -> Bool {
        range.isEmpty
            || mmap(
                executable + range.lowerBound, range.count, PROT_READ | PROT_EXEC,
                MAP_SHARED | MAP_FIXED | MAP_NORESERVE,
                file.rawValue, off_t(offset + range.lowerBound)) != MAP_FAILED
    }

    private func copy(_ range: Range<Int>, of file: borrowing FileDescriptor, at offset: Int) throws(SystemError) {
        let target = UnsafeMutableRawBufferPointer(start: writable + range.lowerBound, count: range.count)
        _ = try file.read(at: UInt64(offset + range.lowerBound), into: target)
    }

    /// Makes the parts with some bytes the cache's own.
    func own(_ range: Range<Int>) {
        for part in parts(of: range) where sources[part] == .file { own(part) }
    }

    private func own(_ part: Int) {
        let range = bytes(of: part..<part + 1)
        (writable + range.lowerBound).copyMemory(from: executable + range.lowerBound, byteCount: range.count)
        guard aerie_move_mapping(spare + range.lowerBound, range.count, executable + range.lowerBound) == 0 else {
            fatalError("no memory to change code: \(SystemError.last("mremap"))")
        }
        sources[part] = .spare
    }
}
