import Support

/// Follow a world switch here: a hart leaves one vCPU for another. The general registers are no part of it, because every exit
/// saves them; the VS-mode CSRs stay on the hart until another vCPU needs it, and floating-point registers until another vCPU uses its own.

/// Exceptions that a guest handles itself: all but its environment calls and what the second stage refuses.
private let delegatedExceptions: UInt64 = 0xb1ff & ~(1 << 9)
private let illegalInstruction: UInt64 = 1 << 2

/// Gives every hart its CSRs; see the Privileged Architecture, chapter "H".
func prepareHart(_ hart: Hart) {
    hv_write_satp(hypervisor.pointee.satp)
    hv_fence_tables()
    // VSSIP, VSTIP and VSEIP are the guest's software, timer and external interrupts.
    hv_write_hideleg(0x444)
    hv_write_hcounteren(7)
    hv_write_htimedelta(0)
    hv_write_hvip(0)
    hv_write_vsie(0)
    hart.pointee.has_timer_compare = hypervisor.pointee.board.hasTimerCompare ? 1 : 0
    hart.pointee.has_vmids = hypervisor.pointee.hasVMIDs ? 1 : 0
    if hypervisor.pointee.board.hasGuestFiles {
        hart.pointee.has_guest_files = 1
        // A file interrupts its vCPU, and not the hypervisor.
        hv_write_hgeie(0)
        // Guests have siselect and sireg, stopi, and stopei, as far as hstatus.VGEIN names a file.
        hv_enable_state(1 << 60 | 1 << 59 | 1 << 58)
    }
    if hypervisor.pointee.board.hasTimerCompare {
        _ = hv_probe_environment(1 << 63)
        hv_write_vstimecmp(.max)
    }
    // Zicbom and Zicboz of the guest, and its page-based memory types, where the hart has them.
    _ = hv_probe_environment(0x4000_0000_0000_00f0)
    setTimer(hart, .max)
    hart.pointee.wake = .max
    // Software, timer and external interrupts of the hypervisor's.
    hv_write_sie(0x222)
}

/// Sets the hypervisor's timer of this hart, in ticks of `time`.
func setTimer(_ hart: Hart, _ deadline: UInt64) {
    hart.pointee.timer = deadline
    if hart.pointee.has_timer_compare != 0 {
        hv_write_stimecmp(deadline)
    } else {
        _ = hv_sbi(0x5449_4d45, 0, deadline, 0, 0, 0, 0)
    }
}

/// Loads `vcpu` on the hart in place of what it holds.
@inline(__always)
func switchWorld(_ hart: Hart, to vcpu: VCPU) {
    if hart.pointee.loaded != vcpu {
        hv_write_hgatp(vcpu.pointee.hgatp)
        exchangeContext(hart, vcpu)
        vcpu.pointee.switches &+= 1
        if hart.pointee.has_vmids == 0 { hv_fence_guest_tables() }
        // vCPUs of one guest share a VMID, yet each may use an ASID for other tables; and fences of the guest while
        // the vCPU was on another hart did not reach this one.
        let own = vcpu.pointee.index &+ 1
        let resident = hv_resident(hart, vcpu.pointee.guest)
        if vcpu.pointee.hart != hart || resident != own {
            vcpu.pointee.hart = hart
            vcpu.pointee.flush = 1
            if resident == 0 { takeOver(vcpu) }
            hv_set_resident(hart, vcpu.pointee.guest, own)
        }
    }
    vcpu.presentInterrupts()
    fenceIfStale(vcpu)
}

/// The hart has none of the guest's vCPUs yet, or one that has just been reset: the VMID's former guest may have left translations of the second
/// stage, and the vCPU's former state interrupts in its file.
@inline(never)
private func takeOver(_ vcpu: VCPU) {
    hv_fence_guest_tables()
    if vcpu.pointee.file != 0 { IMSIC.emptyFile(vcpu) }
}

/// Takes the hart's vCPU off it, so that another hart can load it, and no interrupt of its wakes this hart.
func unloadWorld(_ hart: Hart) {
    guard hart.pointee.loaded != hart.pointee.nobody else { return }
    exchangeContext(hart, hart.pointee.nobody.unsafelyUnwrapped)
    hv_write_hvip(0)
}

/// Saves what the hart holds, and loads `next`, without its pending interrupts.
@inline(__always)
private func exchangeContext(_ hart: Hart, _ next: VCPU) {
    let old = hart.pointee.loaded.unsafelyUnwrapped
    hv_exchange_context(old, next)
    if hart.pointee.has_timer_compare != 0 {
        old.pointee.deadline = hv_read_vstimecmp()
        hv_write_vstimecmp(next.pointee.deadline)
    }
    if hart.pointee.has_guest_files != 0 {
        old.pointee.vsiselect = hv_read_vsiselect()
        hv_write_vsiselect(next.pointee.vsiselect)
    }
    // With sstatus.FS Off, the guest's first floating-point instruction is an illegal one.
    if next.hasFloats(on: hart) {
        next.pointee.sstatus |= hv_vcpu.cleanFloats
        hv_write_hedeleg(delegatedExceptions)
    } else {
        next.pointee.sstatus &= ~hv_vcpu.dirtyFloats
        hv_write_hedeleg(delegatedExceptions & ~illegalInstruction)
    }
    hart.pointee.loaded = next
}

/// Loads the floating-point registers of the vCPU, whose CSRs the hart holds.
func loadFloats(_ hart: Hart, _ vcpu: VCPU) {
    hv_load_floats(vcpu)
    hart.pointee.floats = vcpu
    vcpu.pointee.floats = hart
    vcpu.pointee.sstatus |= hv_vcpu.cleanFloats
    hv_write_hedeleg(delegatedExceptions)
}

extension hv_vcpu {
    /// sstatus.FS.
    static var cleanFloats: UInt64 { 2 << 13 }
    static var dirtyFloats: UInt64 { 3 << 13 }
}

private func fenceIfStale(_ vcpu: VCPU) {
    guard vcpu.pointee.flush == 1 else { return }
    vcpu.pointee.flush = 0
    hv_fence_virtual_tables()
    hv_fence_instructions()
}

extension UnsafeMutablePointer where Pointee == hv_vcpu {
    static var software: UInt64 { 1 << 2 }
    static var timer: UInt64 { 1 << 6 }
    static var external: UInt64 { 1 << 10 }

    /// Writes hvip of the loaded vCPU: levels as they are, a software interrupt if another hart sent one.
    func presentInterrupts() {
        let raised = pointee.raised
        pointee.raised = raised & ~Self.software
        hv_write_hvip(pointee.hvip & Self.software | raised)
    }

    var owner: UnsafeMutablePointer<Guest> {
        // Invariant: `Scheduler.take` sets it for every vCPU that is in use.
        UnsafeMutablePointer<Guest>(bitPattern: UInt(pointee.owner)).unsafelyUnwrapped
    }

    /// Whether the hart holds its floating-point registers: no other vCPU has loaded its own there since, and it has loaded them nowhere else.
    func hasFloats(on hart: Hart) -> Bool { hart.pointee.floats == self && pointee.floats == hart }

    /// Raises or lowers a level, or sends a software interrupt, from any hart.
    func setInterrupt(_ bit: UInt64, _ level: Bool) {
        let before = pointee.raised
        pointee.raised = level ? before | bit : before & ~bit
        guard pointee.raised != before else { return }
        hypervisor.pointee.scheduler.interruptsChanged(self)
    }

    /// WFI, or SBI's suspension that keeps everything.
    func waitForInterrupt(_ hart: Hart) {
        // Messages to a file wake no vCPU that has left its hart. It may go on without an interrupt; in a partition WFI seldom comes here.
        if pointee.file != 0 { return }
        let pending = hv_read_vsip() | pointee.raised >> 1
        if pending & hv_read_vsie() != 0 { return }
        hypervisor.pointee.console.flushPrompt(owner)
        hypervisor.pointee.scheduler.wait(self, hart)
    }
}
