import HostSystem

/// A thread of a test.
struct Background {
    private let thread: HostThread

    init(_ body: @escaping @Sendable () -> Void) throws {
        thread = try HostThread(name: "test", body: body)
    }

    func join() { thread.join() }
}
