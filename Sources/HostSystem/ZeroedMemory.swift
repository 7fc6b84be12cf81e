internal import Glibc

/// Memory for `count` values whose bits are all 0. It costs nothing until it is used, and is given back with `free`.
package func zeroedMemory<Value: BitwiseCopyable>(_ type: Value.Type, _ count: Int) -> UnsafeMutablePointer<Value> {
    guard let memory = calloc(count, MemoryLayout<Value>.stride) else {
        fatalError("no memory for a processor's caches")
    }
    return memory.bindMemory(to: type, capacity: count)
}
