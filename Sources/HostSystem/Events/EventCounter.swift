internal import CLinux
internal import Glibc

/// A descriptor that becomes readable when somebody signals it: the way to wake a thread that waits in poll(2).
package struct EventCounter: ~Copyable, Sendable {
    private let descriptor: FileDescriptor

    package init() throws(SystemError) {
        descriptor = FileDescriptor(owning: try checked("eventfd") { aerie_eventfd() })
    }

    /// What to wait for with POLLIN.
    package var rawValue: Int32 { descriptor.rawValue }

    /// Makes the descriptor readable until `drain`. Any thread; it never blocks.
    package func signal() {
        var one: UInt64 = 1
        _ = write(descriptor.rawValue, &one, MemoryLayout<UInt64>.size)
    }

    /// Takes all signals so far back.
    package func drain() {
        var count: UInt64 = 0
        _ = read(descriptor.rawValue, &count, MemoryLayout<UInt64>.size)
    }
}
