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

/// Follow a scheduling decision here. One table of vCPUs serves all harts: a hart that needs work takes the runnable vCPU that
/// has had the least time for its weight. No hart idles while a vCPU that may run there waits, and nothing needs balancing.
///
/// A vCPU pays for its time: virtual time is ticks · 256 / weight. A guest with a cap has credit, filled in each window.
struct Scheduler {
    /// The table entries in use, a bit each.
    private(set) var used: UInt64 = 0
    private var sliceTicks: UInt64 { hypervisor.pointee.board.timebase / 200 }  // 5 ms
    /// Virtual time by which a vCPU must be behind to take the hart of a running one before its slice ends: 1 ms.
    private var granularity: UInt64 { hypervisor.pointee.board.timebase / 1000 }
    private var windowTicks: UInt64 { hypervisor.pointee.board.timebase / 50 }  // 20 ms

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
            vcpu.pointee.id = UInt8(id)
            vcpu.pointee.state = VCPUState.stopped
            vcpu.pointee.deadline = .max
        }
        return true
    }

    mutating func release(guest: Int) {
        forEach { if Int($0.pointee.guest) == guest { $0.pointee.state = VCPUState.absent } }
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
    func charge(_ vcpu: VCPU, _ now: UInt64) {
        let ran = now &- vcpu.pointee.since
        vcpu.pointee.since = now
        vcpu.pointee.run_time &+= ran
        let guest = hypervisor.pointee.guests + Int(vcpu.pointee.guest)
        vcpu.pointee.virtual_time &+= ran &* 256 / guest.pointee.weight
        if guest.pointee.cap > 0 { guest.pointee.credit -= Int64(ran) }
    }

    /// Charges work of devices since `start` to the guest whose work it is (nil: to none), not to the vCPU that it interrupted.
    /// The guest's vCPUs that want harts share it; if none does, those that have started.
    func chargeWork(of index: Int?, since start: UInt64) {
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
            guest.pointee.vcpu(id)?.pointee.virtual_time &+= share
        }
    }

    /// The vCPU that the hart should run, nil if none may run; and when the hart must decide again: at the end of a slice if others want
    /// the hart, at the end of a credit or of its pause, at the timers of vCPUs that wait, and for postponed work of devices.
    ///
    /// The hart runs no vCPU at this moment.
    func decide(_ hart: Hart, _ now: UInt64) -> (chosen: VCPU?, deadline: UInt64) {
        var next = hart.pointee.postponed == 0 ? UInt64.max : hart.pointee.due
        var best: VCPU?
        var leastOrder: UInt64 = 0
        var hasOthers = false
        let bit: UInt64 = 1 &<< UInt64(hart.pointee.index)
        forEach { vcpu in
            let state = vcpu.pointee.state
            guard state == VCPUState.runnable || state == VCPUState.waiting, vcpu.pointee.affinity & bit != 0
            else { return }
            let guest = hypervisor.pointee.guests + Int(vcpu.pointee.guest)
            guard guest.pointee.state == .running else { return }
            guard state == VCPUState.runnable else {
                if vcpu.pointee.hart == hart { next = min(next, vcpu.pointee.deadline) }
                return
            }
            guard hasCredit(guest, now) else {
                next = min(next, guest.pointee.windowEnd)
                return
            }
            let order = order(vcpu, hart)
            hasOthers = best != nil
            if best == nil || order < leastOrder { (best, leastOrder) = (vcpu, order) }
        }
        guard let chosen = best else { return (nil, next) }
        if hasOthers { next = min(next, now + sliceTicks) }
        if !hypervisor.pointee.board.hasTimerCompare, chosen.pointee.raised & VCPU.timer == 0 {
            next = min(next, chosen.pointee.deadline)
        }
        let guest = hypervisor.pointee.guests + Int(chosen.pointee.guest)
        if guest.pointee.cap > 0 { next = min(next, now + UInt64(max(guest.pointee.credit, 100))) }
        return (chosen, next)
    }

    /// The vCPU that ran here last keeps its place against one that is hardly behind: a switch costs more than it gains.
    private func order(_ vcpu: VCPU, _ hart: Hart) -> UInt64 {
        let time = vcpu.pointee.virtual_time
        return hart.pointee.loaded == vcpu ? time - min(time, granularity) : time
    }

    /// A cap of c% gives c% of each window. What a slice took too much is missing in the next windows.
    private func hasCredit(_ guest: UnsafeMutablePointer<Guest>, _ now: UInt64) -> Bool {
        guard guest.pointee.cap > 0 else { return true }
        let perWindow = Int64(windowTicks * guest.pointee.cap / 100)
        if now >= guest.pointee.windowEnd {
            let windows = (now - guest.pointee.windowEnd) / windowTicks + 1
            guest.pointee.windowEnd += windows * windowTicks
            guest.pointee.credit = min(guest.pointee.credit + perWindow * Int64(min(windows, 1000)), perWindow)
        }
        return guest.pointee.credit > 0
    }

    // MARK: Waking

    /// Wakes vCPUs whose timers are due, and shows the running one its own where the hart has no vstimecmp.
    mutating func wakeDue(_ now: UInt64) {
        let hasCompare = hypervisor.pointee.board.hasTimerCompare
        forEach { vcpu in
            guard vcpu.pointee.deadline <= now, vcpu.pointee.state >= VCPUState.runnable else { return }
            if !hasCompare { vcpu.pointee.raised |= VCPU.timer }
            if vcpu.pointee.state == VCPUState.waiting { wake(vcpu) }
        }
    }

    /// Makes a vCPU runnable and tells the hart that should run it. It gets no credit for the time it waited, only a start
    /// of one granule before the others: the bound of its latency is one slice.
    @inline(never)  // Inlined, its registers would be saved at each look for timers that are due.
    mutating func wake(_ vcpu: VCPU) {
        vcpu.pointee.state = VCPUState.runnable
        let floor = leastTime(except: vcpu)
        if vcpu.pointee.virtual_time + 2 * granularity < floor || vcpu.pointee.virtual_time > floor + 20 * sliceTicks {
            vcpu.pointee.virtual_time = floor - min(floor, 2 * granularity)
        }
        guard let hart = target(vcpu) else { return }
        kick(hart)
    }

    private func leastTime(except other: VCPU) -> UInt64 {
        var least = UInt64.max
        forEach { vcpu in
            guard vcpu != other, vcpu.pointee.state == VCPUState.running || vcpu.pointee.state == VCPUState.runnable
            else {
                return
            }
            least = min(least, vcpu.pointee.virtual_time)
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
func chooseNext(_ hart: Hart) -> VCPU {
    while true {
        let now = hv_time()
        leave(hart, now)
        hart.pointee.reschedule = 0
        if Guest.hasWork {
            // Loading a guest frees the lock: this hart must hold nothing that another one could take.
            unloadWorld(hart)
            Guest.doWork()
            continue
        }
        let (chosen, deadline) = hypervisor.pointee.scheduler.decide(hart, now)
        if deadline != hart.pointee.timer {
            hart.pointee.timer = deadline
            setHartTimer(deadline)
        }
        if let vcpu = chosen {
            switchWorld(hart, to: vcpu)
            vcpu.pointee.state = VCPUState.running
            vcpu.pointee.since = now
            hart.pointee.current = vcpu
            vcpu.presentInterrupts()
            return vcpu
        }
        unloadWorld(hart)
        idle(hart, now)
    }
}

/// Charges the vCPU that ran and puts it back among the runnable ones.
private func leave(_ hart: Hart, _ now: UInt64) {
    guard let vcpu = hart.pointee.current else { return }
    hypervisor.pointee.scheduler.charge(vcpu, now)
    hart.pointee.current = nil
    if vcpu.pointee.state == VCPUState.running { vcpu.pointee.state = VCPUState.runnable }
}

@inline(never)
private func idle(_ hart: Hart, _ start: UInt64) {
    hart.pointee.idle_since = start
    hv_release()
    hv_wait_for_interrupt()
    hv_acquire()
    hart.pointee.idle_time &+= hv_time() &- start
    hart.pointee.idle_since = 0
    handlePendingInterrupts(hart)
}
