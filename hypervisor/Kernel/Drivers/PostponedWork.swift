import Support

/// Work of devices that is more than one exit may do. A hart does the rest in pieces, each when its timer is due: after a piece that
/// took a time, guests have the hart for at least the same time. No message of another hart starts a piece.
///
/// A partition's work is left for a hart of the partition.
enum PostponedWork {
    case transmission(Int)
    /// Requests of a guest's disk.
    case requests(Int)
    case card

    private var bit: UInt64 {
        switch self {
        case .transmission(let guest): 1 << UInt64(guest)
        case .requests(let guest): 1 << UInt64(16 + guest)
        case .card: 1 << 32
        }
    }

    /// Leaves the work for the hart's timer.
    ///
    /// - Parameter start: when the piece that does not finish it began.
    func postpone(since start: UInt64) {
        let hart = self.hart
        guard hart.pointee.postponed & bit == 0 else { return }
        if hart.pointee.postponed == 0 { hart.pointee.due = Self.nextDue(after: start) }
        hart.pointee.postponed |= bit
        if hart != currentHart() {
            // The hart looks at `due` when it decides.
            hypervisor.pointee.scheduler.kick(hart)
        } else if hart.pointee.due < hart.pointee.timer {
            setTimer(hart, hart.pointee.due)
        }
    }

    var isPostponed: Bool { hart.pointee.postponed & bit != 0 }

    /// The hart that does the work: this one, or in partitioned mode, if it is not the guest's, that of the guest's first vCPU.
    private var hart: Hart {
        let here = currentHart()
        guard hypervisor.pointee.isPartitioned else { return here }
        switch self {
        case .card: return here
        case .transmission(let index), .requests(let index):
            let guest = hypervisor.pointee.guests + index
            for id in 0..<UInt64(guest.pointee.vcpuCount) {
                if let vcpu = guest.pointee.vcpu(id), vcpu.pointee.affinity >> UInt64(here.pointee.index) & 1 == 1 {
                    return here
                }
            }
            guard let first = guest.pointee.vcpu(0) else { return here }
            let place = first.pointee.affinity.trailingZeroBitCount
            return place < hypervisor.pointee.board.hartCount ? hypervisor.pointee.harts + place : here
        }
    }

    /// As much time for guests as the piece took, and at least 50 µs.
    private static func nextDue(after start: UInt64) -> UInt64 {
        let now = hv_time()
        return now + max(now &- start, hypervisor.pointee.board.timebase / 20_000)
    }

    /// Does one piece of what is left for the hart, in turn, if it is due.
    static func continueDue(_ hart: Hart) {
        let postponed = hart.pointee.postponed
        let start = hv_time()
        guard postponed != 0, hart.pointee.due <= start else { return }
        // The first bit after the last one that was served.
        let after = postponed & ~((1 << (hart.pointee.last_postponed + 1)) - 1)
        let bit = UInt64((after == 0 ? postponed : after).trailingZeroBitCount)
        hart.pointee.last_postponed = bit
        hart.pointee.postponed &= ~(1 << bit)
        switch bit {
        case 0..<16: (hypervisor.pointee.guests + Int(bit)).transmit()
        case 16..<32: hypervisor.pointee.guests[Int(bit - 16)].disk.driver?.startRequests()
        default: hypervisor.pointee.card.handleInterrupt()
        }
        if hart.pointee.postponed != 0 { hart.pointee.due = nextDue(after: start) }
    }

    /// Forgets what is left of a guest that ends.
    static func forget(guest: Int) {
        let bits = Self.transmission(guest).bit | Self.requests(guest).bit
        for index in 0..<hypervisor.pointee.board.hartCount { hypervisor.pointee.harts[index].postponed &= ~bits }
    }
}
