import Support

/// The kernel's event queue (epoll). An event carries the key that its descriptor was registered with.
struct Poller: ~Copyable {
    static let readable: UInt32 = 1
    static let writable: UInt32 = 4
    static let error: UInt32 = 8
    static let hangUp: UInt32 = 16

    private let descriptor: Descriptor

    init() throws(Errno) { descriptor = try Descriptor(system(SystemCall.epoll_create1, OpenFlags.closeOnExec)) }

    /// Changes the events that the queue waits for on a descriptor. Without any, the descriptor leaves the queue:
    /// epoll reports hang-ups and errors of every descriptor in it.
    func set(_ number: Int32, from old: UInt32, to new: UInt32, key: EventKey) {
        guard old != new else { return }
        var event = aerie_epoll_event()
        event.events = new
        event.data = key.bits
        let operation = old == 0 ? 1 : new == 0 ? 2 : 3
        let result = withUnsafeMutablePointer(to: &event) {
            system(
                SystemCall.epoll_ctl, Int(descriptor.number), operation, Int(number), Int(bitPattern: $0))
        }
        // A regular file cannot be waited for (EPERM); the callers do not register any.
        precondition(result == 0 || operation != 1, "a descriptor enters the event queue")
    }

    /// Waits up to `milliseconds`, or without limit for -1, and calls `body` with each event.
    func wait(milliseconds: Int, _ body: (EventKey, UInt32) -> Void) {
        withUnsafeTemporaryAllocation(of: aerie_epoll_event.self, capacity: 64) { events in
            let count = system(
                SystemCall.epoll_pwait, Int(descriptor.number), Int(bitPattern: events.baseAddress), 64, milliseconds,
                0, 8)
            for index in 0..<max(count, 0) { body(EventKey(bits: events[index].data), events[index].events) }
        }
    }
}

/// What an event is about: a descriptor's role, and for those of sessions the session's place and generation.
struct EventKey {
    enum Role: UInt8 {
        case listener, signals, controlPort, kernelLog
        case connection, report, input, output, errorOutput, peer
    }

    let bits: UInt64

    init(bits: UInt64) { self.bits = bits }

    init(_ role: Role, place: Int = 0, generation: UInt32 = 0) {
        bits = UInt64(generation) << 32 | UInt64(place) << 8 | UInt64(role.rawValue)
    }

    var role: Role? { Role(rawValue: UInt8(truncatingIfNeeded: bits)) }
    var place: Int { Int(bits >> 8 & 0xff_ffff) }
    var generation: UInt32 { UInt32(truncatingIfNeeded: bits >> 32) }
}
