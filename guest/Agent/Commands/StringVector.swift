import Support

/// Texts as the kernel's execve takes them: pointers to bytes that end in zero, and a null pointer behind them.
struct StringVector: ~Copyable {
    private let memory: UnsafeMutableRawPointer

    /// Nil if the heap is exhausted.
    @inline(never)
    init?(_ texts: [[UInt8]]) {
        var size = 8 * (texts.count + 1)
        for text in texts { size += text.count + 1 }
        guard aerie_heap_available() >= size + AgentOptions.heapReserve / 2, let memory = malloc(size) else {
            return nil
        }
        var offset = 8 * (texts.count + 1)
        for (index, text) in texts.enumerated() {
            memory.storeBytes(of: Int(bitPattern: memory) + offset, toByteOffset: 8 * index, as: Int.self)
            text.withUnsafeBytes { bytes in
                if let base = bytes.baseAddress { (memory + offset).copyMemory(from: base, byteCount: bytes.count) }
            }
            memory.storeBytes(of: 0, toByteOffset: offset + text.count, as: UInt8.self)
            offset += text.count + 1
        }
        memory.storeBytes(of: 0, toByteOffset: 8 * texts.count, as: Int.self)
        self.memory = memory
    }

    deinit { free(memory) }

    /// The vector's address, as a system call's argument.
    var address: Int { Int(bitPattern: memory) }
}
