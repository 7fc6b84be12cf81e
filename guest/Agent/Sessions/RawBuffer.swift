import Support

/// Bytes on their way: filled at the end, taken from the start. The memory is there while bytes are.
struct RawBuffer: ~Copyable {
    private var base: UnsafeMutableRawPointer?
    private(set) var capacity = 0
    private var start = 0
    private var end = 0

    init() {}

    deinit { free(base) }

    var count: Int { end - start }
    var isEmpty: Bool { start == end }

    /// The waiting bytes. Valid until the buffer changes.
    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base.map { $0 + start }, count: count) }

    /// Makes room for `more` bytes behind the waiting ones; false if the heap is exhausted.
    mutating func reserve(_ more: Int) -> Bool {
        if isEmpty {
            start = 0
            end = 0
        }
        if capacity - end >= more { return true }
        if let base, capacity - count >= more, start >= capacity / 2 {
            memory(base, base + start, count)
            end -= start
            start = 0
            return true
        }
        let needed = max(count + more, 2 * count)
        guard aerie_heap_available() >= needed + AgentOptions.heapReserve / 2, let new = malloc(needed) else {
            return false
        }
        if let base { memory(new, base + start, count) }
        free(base)
        base = new
        capacity = needed
        end -= start
        start = 0
        return true
    }

    private func memory(_ target: UnsafeMutableRawPointer, _ source: UnsafeRawPointer, _ count: Int) {
        if count > 0 { target.copyMemory(from: source, byteCount: count) }
    }

    /// The free place behind the waiting bytes, for `filled`.
    var place: UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(start: base.map { $0 + end }, count: capacity - end)
    }

    mutating func filled(_ count: Int) {
        precondition(count <= capacity - end, "a buffer is filled within its capacity")
        end += count
    }

    mutating func take(_ count: Int) {
        precondition(count <= end - start, "no more is taken than is there")
        start += count
    }

    /// Appends bytes; false if the heap is exhausted.
    mutating func append(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard reserve(bytes.count) else { return false }
        if let source = bytes.baseAddress, let base { memory(base + end, source, bytes.count) }
        end += bytes.count
        return true
    }

    mutating func append(_ bytes: [UInt8]) -> Bool { bytes.withUnsafeBytes { append($0) } }

    mutating func release() {
        free(base)
        base = nil
        capacity = 0
        start = 0
        end = 0
    }
}
