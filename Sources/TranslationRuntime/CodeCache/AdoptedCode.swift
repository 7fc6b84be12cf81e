internal import CLinux
internal import Glibc
internal import HostSystem

/// The parts of a code cache that execute from a file of saved code, which other machines have mapped, too.
///
/// The cache's mapping for execution shows the file there. Before something in a part changes, the part is copied to the cache's own
/// memory, and the mapping shows that from then on: in one step, so that processors may execute the code meanwhile. `restore` goes back.
final class AdoptedCode {
    /// Bytes that are copied together.
    private let partSize: Int
    /// What a part of the mapping for execution shows.
    private enum Source {
        /// The cache's memory, where nothing was adopted.
        case cache
        /// The cache's memory, to which what is before and behind the file's whole parts was copied.
        case copy
        case file
        /// The cache's memory, to which a part of the file was copied because it changed.
        case changed
    }

    /// By the numbers of the parts.
    private var sources: [Source]

    private let writable: UnsafeMutableRawPointer
    private let executable: UnsafeMutableRawPointer
    private let capacity: Int
    // Mappings for execution, of which parts come to be at `executable` as well: no mapping with the right to execute is made when the process
    // has given up that right.
    /// The cache's own memory.
    private let ownMemory: View
    /// The file from its position 0 on; nil where files cannot be mapped for execution (file systems that are mounted so).
    private let fileMemory: View?
    private let file: FileDescriptor
    private let offset: Int

    /// A process has some 65000 mappings at most, of which each part may need three.
    private static let mostParts = 4096
    private static let leastPartSize = 16384

    /// - Parameters:
    ///   - writable: the cache's memory, mapped for writing.
    ///   - executable: the same memory, mapped for execution.
    ///   - memory: the cache's memory file.
    ///   - capacity: bytes of it.
    ///   - file: whose code is adopted; stays the caller's.
    ///   - offset: of the position 0 in the file.
    init(
        writable: UnsafeMutableRawPointer, executable: UnsafeMutableRawPointer, memory: borrowing FileDescriptor,
        capacity: Int, file: borrowing FileDescriptor, offset: Int
    ) throws(SystemError) {
        self.writable = writable
        self.executable = executable
        self.capacity = capacity
        self.offset = offset
        var size = Self.leastPartSize
        while capacity / size > Self.mostParts { size *= 2 }
        partSize = size
        sources = Array(repeating: .cache, count: (capacity + size - 1) / size)
        self.file = try FileDescriptor(duplicating: file.rawValue)
        ownMemory = try View(memory, at: 0, count: capacity)
        fileMemory = try? View(file, at: offset, count: capacity)
    }

    /// A mapping for execution.
    private final class View {
        let mapping: Mapping

        init(_ file: borrowing FileDescriptor, at offset: Int, count: Int) throws(SystemError) {
            mapping = try Mapping(
                count: count, protection: PROT_READ | PROT_EXEC, flags: MAP_SHARED | MAP_NORESERVE,
                descriptor: file.rawValue, offset: UInt64(offset))
        }
    }

    private func bytes(of parts: Range<Int>) -> Range<Int> {
        parts.lowerBound * partSize..<min(parts.upperBound * partSize, capacity)
    }

    /// The parts with some bytes.
    private func parts(of bytes: Range<Int>) -> Range<Int> {
        bytes.lowerBound / partSize..<(bytes.upperBound + partSize - 1) / partSize
    }

    /// Takes code over from the file: whole parts are mapped, and the others copied. Nothing executes in the cache.
    ///
    /// - Parameters:
    ///   - code: positions in the cache.
    ///   - shared: the end of the cache's first code, which stays its own.
    func adopt(_ code: Range<Int>, behind shared: Int) throws(SystemError) {
        let parts = parts(of: code)
        let whole = parts.clamped(to: self.parts(of: 0..<shared).upperBound..<sources.count)
        guard let fileMemory else { return try copy(parts, behind: shared) }
        try show(whole, of: fileMemory)
        for part in whole { sources[part] = .file }
        try copy(parts.lowerBound..<whole.lowerBound, behind: shared)
    }

    private func copy(_ parts: Range<Int>, behind shared: Int) throws(SystemError) {
        let range = bytes(of: parts).clamped(to: shared..<capacity)
        let target = UnsafeMutableRawBufferPointer(start: writable + range.lowerBound, count: range.count)
        _ = try file.read(at: UInt64(offset + range.lowerBound), into: target)
        for part in parts { sources[part] = .copy }
    }

    /// Lets the mapping for execution show parts of a view.
    private func show(_ parts: Range<Int>, of view: View) throws(SystemError) {
        let range = bytes(of: parts)
        guard !range.isEmpty else { return }
        _ = try checked("mremap of \(range.count) bytes") {
            aerie_duplicate_mapping(
                view.mapping.address + range.lowerBound, range.count, executable + range.lowerBound)
        }
    }

    /// Goes back to what was adopted, after the cache's own memory was cleared. Nothing executes in the cache.
    func restore(behind shared: Int) throws(SystemError) {
        if let fileMemory {
            for parts in Self.runs(of: sources, of: .changed) { try show(parts, of: fileMemory) }
        }
        for part in sources.indices where sources[part] == .changed { sources[part] = .file }
        for parts in Self.runs(of: sources, of: .copy) { try copy(parts, behind: shared) }
    }

    /// Neighbours that are `wanted`. One call for each run: a call for each part would split the mapping thousands of times.
    static func runs<Element: Equatable>(of elements: [Element], of wanted: Element) -> [Range<Int>] {
        var runs: [Range<Int>] = []
        var start = 0
        for index in 0...elements.count where index == elements.count || elements[index] != wanted {
            if start < index { runs.append(start..<index) }
            start = index + 1
        }
        return runs
    }

    /// Makes the parts with some bytes the cache's own.
    func own(_ range: Range<Int>) {
        for part in parts(of: range) where sources[part] == .file { own(part) }
    }

    private func own(_ part: Int) {
        let range = bytes(of: part..<part + 1)
        (writable + range.lowerBound).copyMemory(from: executable + range.lowerBound, byteCount: range.count)
        do throws(SystemError) { try show(part..<part + 1, of: ownMemory) } catch {
            fatalError("no memory to change code: \(error)")
        }
        sources[part] = .changed
    }
}
