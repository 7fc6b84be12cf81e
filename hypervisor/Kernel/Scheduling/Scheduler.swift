import Support

/// States of a vCPU.
enum VCPUState {
    static let absent: UInt32 = 0
    /// Its guest has not started it (SBI HSM).
    static let stopped: UInt32 = 1
    static let runnable: UInt32 = 2
    static let running: UInt32 = 3
    static let waiting: UInt32 = 4
}

/// Follow a scheduling decision here. One queue of runnable vCPUs serves all harts: a hart that needs work takes the vCPU that
/// has had the least time for its weight. No hart idles while a vCPU that may run there waits, and nothing needs balancing.
///
/// A vCPU pays for its time: virtual time is ticks · 256 / weight. A guest with a cap has credit, filled in each window.
struct Scheduler {
    /// The table entries in use, a bit each.
    private(set) var used: UInt64 = 0
    private var queue = RunQueue()
    private let sliceTicks: UInt64  // 5 ms
    /// Virtual time by which a vCPU must be behind to take the hart of a running one before its slice ends: 1 ms.
    private let granularity: UInt64

    /// - Parameter timebase: ticks of `time` in a second.
    init(timebase: UInt64) {
        sliceTicks = timebase / 200
        granularity = timebase / 1000
    }

    /// Without Zbb, to count trailing zeros takes longer than to look at each bit: the entries in use are the first ones.
    @inline(__always)
    func forEach(_ body: (VCPU) -> Void) {
        var rest = used
        var vcpu = hypervisor.pointee.vcpus
        while rest != 0 {
            if rest & 1 == 1 { body(vcpu) }
            rest >>= 1
            vcpu += 1
        }
    }

    // MARK: The table

    /// Entries for `count` vCPUs, all or none.
    mutating func take(_ count: Int, guest: Int) -> Bool {
        guard Hypervisor.mostVCPUs - used.nonzeroBitCount >= count else { return false }
        for id in 0..<count {
            let index = (~used).trailingZeroBitCount
            used |= 1 << UInt64(index)
            let vcpu = hypervisor.pointee.vcpus + index
            UnsafeMutableRawPointer(vcpu).initializeMemory(
                as: UInt8.self, repeating: 0, count: MemoryLayout<hv_vcpu>.size)
            vcpu.pointee.index = UInt8(index)
            vcpu.pointee.guest = UInt8(guest)
            vcpu.pointee.owner = UInt64(UInt(bitPattern: hypervisor.pointee.guests + guest))
            vcpu.pointee.id = UInt8(id)
            vcpu.pointee.state = VCPUState.stopped
            vcpu.pointee.deadline = .max
        }
        return true
    }

    mutating func release(guest: Int) {
        forEach { vcpu in
            guard Int(vcpu.pointee.guest) == guest else { return }
            queue.remove(vcpu)
            vcpu.pointee.state = VCPUState.absent
        }
        for index in 0..<Hypervisor.mostVCPUs where hypervisor.pointee.vcpus[index].state == VCPUState.absent {
            used &= ~(1 << UInt64(index))
        }
        // Others must not take this guest's translations for theirs when the VMID is used again.
        for hart in 0..<hypervisor.pointee.board.hartCount {
            hv_set_resident(hypervisor.pointee.harts + hart, UInt8(guest), 0)
        }
    }

    // MARK: The decision

    /// Charges the time since the last charge.
    @inline(__always)
    func charge(_ vcpu: VCPU, _ now: UInt64) {
        let ran = now &- vcpu.pointee.since
        vcpu.pointee.since = now
        vcpu.pointee.run_time &+= ran
        let guest = vcpu.owner
        vcpu.pointee.virtual_time &+= ran &* 256 / guest.pointee.weight
        if guest.pointee.cap > 0 { guest.pointee.credit -= Int64(ran) }
    }

    /// Charges work of devices since `start` to the guest whose work it is (nil: to none), not to the vCPU that it interrupted.
    /// The guest's vCPUs that want harts share it; if none does, those that have started.
    mutating func chargeWork(of index: Int?, since start: UInt64) {
        let ran = hv_time() &- start
        if let current = currentHart().pointee.current {
            // Its next charge has this time in it.
            if let index, Int(current.pointee.guest) == index { return }
            current.pointee.since &+= ran
        }
        guard let index else { return }
        let guest = hypervisor.pointee.guests + index
        if guest.pointee.cap > 0 { guest.pointee.credit -= Int64(ran) }
        var (ready, started): (UInt64, UInt64) = (0, 0)
        for id in 0..<UInt64(guest.pointee.vcpuCount) {
            guard let vcpu = guest.pointee.vcpu(id), vcpu.pointee.state >= VCPUState.runnable else { continue }
            started |= 1 << id
            if vcpu.pointee.state != VCPUState.waiting { ready |= 1 << id }
        }
        let payers = ready == 0 ? started : ready
        guard payers != 0 else { return }
        let share = ran &* 256 / guest.pointee.weight / UInt64(payers.nonzeroBitCount)
        for id in 0..<UInt64(guest.pointee.vcpuCount) where payers >> id & 1 == 1 {
            guard let vcpu = guest.pointee.vcpu(id) else { continue }
            let isQueued = vcpu.pointee.state == VCPUState.runnable
            if isQueued { queue.remove(vcpu) }
            vcpu.pointee.virtual_time &+= share
            if isQueued { queue.insert(vcpu) }
        }
    }

    /// Takes the vCPU that the hart should run from the queue; nil: none may run. And when the hart must decide again: at the end of a slice if others want
    /// the hart, at the end of a credit or of its pause, at the timers of vCPUs that wait, and for postponed work of devices.
    ///
    /// The hart runs no vCPU at this moment.
    @inline(__always)
    mutating func decide(_ hart: Hart, _ now: UInt64) -> (chosen: VCPU?, deadline: UInt64) {
        var next = hart.pointee.wake
        if hart.pointee.postponed != 0 { next = min(next, hart.pointee.due) }
        guard var chosen = Self.candidate(from: queue.first, hart, now, &next) else { return (nil, next) }
        if let other = Self.candidate(from: chosen.pointee.next, hart, now, &next) {
            next = min(next, now &+ sliceTicks)
            // The vCPU that ran here last keeps its place against one that is hardly behind: a switch costs more than it gains.
            if let last = hart.pointee.loaded, last != chosen, last.pointee.state == VCPUState.runnable,
                last.pointee.virtual_time < chosen.pointee.virtual_time &+ granularity,
                last == other || Self.mayRunLast(last, hart, now)
            {
                chosen = last
            }
        }
        queue.remove(chosen)
        if hart.pointee.has_timer_compare == 0, chosen.pointee.raised & VCPU.timer == 0 {
            next = min(next, chosen.pointee.deadline)
        }
        let guest = chosen.owner
        if guest.pointee.cap > 0 { next = min(next, now + UInt64(max(guest.pointee.credit, 100))) }
        return (chosen, next)
    }

    /// The first vCPU of the queue from `start` on that may run on the hart.
    @inline(__always)
    private static func candidate(
        from start: VCPU?, _ hart: Hart, _ now: UInt64, _ next: inout UInt64
    ) -> VCPU? {
        var candidate = start
        while let vcpu = candidate {
            if mayRun(vcpu, hart, now, &next) { return vcpu }
            candidate = vcpu.pointee.next
        }
        return nil
    }

    /// `mayRun` of the vCPU that the hart has left. A function by itself, because a decision seldom asks.
    @inline(never)
    private static func mayRunLast(_ vcpu: VCPU, _ hart: Hart, _ now: UInt64) -> Bool {
        var next = UInt64.max
        return mayRun(vcpu, hart, now, &next)
    }

    /// - Parameter next: becomes the end of the pause, at the latest, if the vCPU's guest has no credit.
    @inline(__always)
    private static func mayRun(_ vcpu: VCPU, _ hart: Hart, _ now: UInt64, _ next: inout UInt64) -> Bool {
        let guest = vcpu.owner
        guard vcpu.pointee.affinity &>> UInt64(hart.pointee.index) & 1 == 1, guest.pointee.state == .running
        else { return false }
        if guest.pointee.cap == 0 || guest.pointee.hasCredit(now) { return true }
        next = min(next, guest.pointee.windowEnd)
        return false
    }

    // MARK: Waking

    /// At the hart's timer: wakes vCPUs whose timers are due, and shows the running one its own where the hart has no vstimecmp.
    @inline(__always)
    mutating func wakeDue(_ hart: Hart, _ now: UInt64) {
        guard now < hart.pointee.wake, hart.pointee.has_timer_compare != 0 else { return lookForDue(hart, now) }
    }

    @inline(never)
    private mutating func lookForDue(_ hart: Hart, _ now: UInt64) {
        let hasCompare = hart.pointee.has_timer_compare != 0
        hart.pointee.wake = .max
        forEach { vcpu in
            guard vcpu.pointee.state >= VCPUState.runnable else { return }
            if vcpu.pointee.deadline <= now {
                if !hasCompare { vcpu.pointee.raised |= VCPU.timer }
                if vcpu.pointee.state == VCPUState.waiting { wake(vcpu) }
            } else if vcpu.pointee.state == VCPUState.waiting, vcpu.pointee.hart == hart {
                hart.pointee.wake = min(hart.pointee.wake, vcpu.pointee.deadline)
            }
        }
    }

    /// The hart's vCPU waits, at most until its timer is due.
    func wait(_ vcpu: VCPU, _ hart: Hart) {
        // The decision sets the hart's timer by it, before the vCPU leaves the hart.
        if hart.pointee.has_timer_compare != 0 { vcpu.pointee.deadline = hv_read_vstimecmp() }
        vcpu.pointee.state = VCPUState.waiting
        hart.pointee.wake = min(hart.pointee.wake, vcpu.pointee.deadline)
        hart.pointee.reschedule = 1
    }

    /// The hart's vCPU ran, and wants to run on.
    mutating func requeue(_ vcpu: VCPU) {
        vcpu.pointee.state = VCPUState.runnable
        queue.insert(vcpu)
    }

    /// Makes a vCPU that waits, or is stopped, runnable and tells the hart that should run it. It gets no credit for the time it waited,
    /// only a start of one granule before the others: the bound of its latency is one slice.
    mutating func wake(_ vcpu: VCPU) {
        let floor = leastTime(except: vcpu)
        if vcpu.pointee.virtual_time + 2 * granularity < floor || vcpu.pointee.virtual_time > floor + 20 * sliceTicks {
            vcpu.pointee.virtual_time = floor - min(floor, 2 * granularity)
        }
        requeue(vcpu)
        guard let hart = target(vcpu) else { return }
        kick(hart)
    }

    private func leastTime(except other: VCPU) -> UInt64 {
        var least = queue.first?.pointee.virtual_time ?? .max
        for index in 0..<hypervisor.pointee.board.hartCount {
            guard let current = hypervisor.pointee.harts[index].current, current != other else { continue }
            least = min(least, current.pointee.virtual_time)
        }
        return least == .max ? other.pointee.virtual_time : least
    }

    /// An idle hart, at best the one where it ran; else the hart whose vCPU has had the most time.
    private func target(_ vcpu: VCPU) -> Hart? {
        var best: Hart?
        var bestTime: UInt64 = 0
        for index in 0..<hypervisor.pointee.board.hartCount {
            let hart = hypervisor.pointee.harts + index
            guard vcpu.pointee.affinity >> UInt64(index) & 1 == 1, hart.pointee.online == 1 else { continue }
            guard let current = hart.pointee.current else {
                // An idle hart that was told already has other work.
                if hart.pointee.reschedule == 1 { continue }
                if vcpu.pointee.hart == hart { return hart }
                (best, bestTime) = (hart, .max)
                continue
            }
            if current.pointee.virtual_time >= bestTime { (best, bestTime) = (hart, current.pointee.virtual_time) }
        }
        return best
    }

    /// A vCPU's interrupts changed: it wakes, or the hart that runs it looks.
    mutating func interruptsChanged(_ vcpu: VCPU) {
        if vcpu.pointee.state == VCPUState.waiting { return wake(vcpu) }
        if vcpu.pointee.state == VCPUState.running, let hart = vcpu.pointee.hart { kick(hart) }
    }

    /// Makes a hart decide again, by a message if it is another one.
    func kick(_ hart: Hart) {
        if hart.pointee.reschedule == 1 { return }
        hart.pointee.reschedule = 1
        if hart != currentHart() { _ = hv_sbi(0x73_5049, 0, 1, hart.pointee.id, 0, 0, 0) }
    }
}

/// The hart that runs this, by its stack.
func currentHart() -> Hart {
    var local: UInt8 = 0
    let here = withUnsafePointer(to: &local) { UInt64(UInt(bitPattern: $0)) }
    let stride = UInt64(HV_STACK_SIZE + HV_GUARD_SIZE)
    return hypervisor.pointee.harts + Int((here - hv_address_of_stacks()) / stride)
}

/// Decides what the hart runs and loads it; without work, waits for an interrupt with the lock free.
@inline(__always)
func chooseNext(_ hart: Hart) -> VCPU {
    let now = hv_time()
    leave(hart, now)
    hart.pointee.reschedule = 0
    if hypervisor.pointee.unsettledGuests == 0, let vcpu = takeNext(hart, now) { return vcpu }
    return waitForNext(hart)
}

/// Charges the vCPU that ran and puts it back among the runnable ones.
@inline(__always)
private func leave(_ hart: Hart, _ now: UInt64) {
    guard let vcpu = hart.pointee.current else { return }
    hypervisor.pointee.scheduler.charge(vcpu, now)
    hart.pointee.current = nil
    if vcpu.pointee.state == VCPUState.running { hypervisor.pointee.scheduler.requeue(vcpu) }
}

/// Loads the vCPU of the scheduler's decision; nil: no vCPU may run here now. Sets the hart's timer for the next decision.
@inline(never)
private func takeNext(_ hart: Hart, _ now: UInt64) -> VCPU? {
    let (chosen, deadline) = hypervisor.pointee.scheduler.decide(hart, now)
    if deadline != hart.pointee.timer { setTimer(hart, deadline) }
    guard let vcpu = chosen else { return nil }
    vcpu.pointee.state = VCPUState.running
    vcpu.pointee.since = now
    hart.pointee.current = vcpu
    switchWorld(hart, to: vcpu)
    return vcpu
}

/// Starts and ends guests, and waits, until a vCPU may run here.
@inline(never)
private func waitForNext(_ hart: Hart) -> VCPU {
    while true {
        if !Guest.hasWork, let vcpu = takeNext(hart, hv_time()) { return vcpu }
        // Both free the lock: this hart must hold nothing that another one could take.
        unloadWorld(hart)
        if Guest.hasWork { Guest.doWork() } else { idle(hart, hv_time()) }
        hart.pointee.reschedule = 0
    }
}

private func idle(_ hart: Hart, _ start: UInt64) {
    hart.pointee.idle_since = start
    hv_release()
    hv_wait_for_interrupt()
    hv_acquire()
    hart.pointee.idle_time &+= hv_time() &- start
    hart.pointee.idle_since = 0
    handlePendingInterrupts(hart)
}
