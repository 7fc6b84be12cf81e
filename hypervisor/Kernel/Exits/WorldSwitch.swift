import Support

/// Follow a world switch here: a hart leaves one vCPU for another. The general registers are no part of it, because every exit
/// saves them; the VS-mode CSRs and floating-point registers stay on the hart until another vCPU needs it.

/// Gives every hart its CSRs; see the Privileged Architecture, chapter "H".
func prepareHart(_ hart: Hart) {
    hv_write_satp(hypervisor.pointee.satp)
    hv_fence_tables()
    // Exceptions that the guest handles itself: all but its environment calls and what the second stage refuses.
    hv_write_hedeleg(0xb1ff & ~(1 << 9))
    // VSSIP, VSTIP and VSEIP are the guest's software, timer and external interrupts.
    hv_write_hideleg(0x444)
    hv_write_hcounteren(7)
    hv_write_htimedelta(0)
    hv_write_hvip(0)
    hv_write_vsie(0)
    if hypervisor.pointee.board.hasTimerCompare {
        _ = hv_probe_environment(1 << 63)
        hv_write_vstimecmp(.max)
    }
    // Zicbom and Zicboz of the guest, and its page-based memory types, where the hart has them.
    _ = hv_probe_environment(0x4000_0000_0000_00f0)
    setHartTimer(.max)
    hart.pointee.timer = .max
    // Software, timer and external interrupts of the hypervisor's.
    hv_write_sie(0x222)
}

/// The hypervisor's timer of this hart, in ticks of `time`.
func setHartTimer(_ deadline: UInt64) {
    if hypervisor.pointee.board.hasTimerCompare {
        hv_write_stimecmp(deadline)
    } else {
        _ = hv_sbi(0x5449_4d45, 0, deadline, 0, 0, 0, 0)
    }
}

/// Loads `vcpu` on the hart in place of what it holds.
func switchWorld(_ hart: Hart, to vcpu: VCPU) {
    guard hart.pointee.loaded != vcpu || vcpu.pointee.hart != hart else { return fenceIfStale(hart, vcpu) }
    unloadWorld(hart)
    let guest = hypervisor.pointee.guests + Int(vcpu.pointee.guest)
    hv_write_hgatp(guest.pointee.tables.hgatp(vmid: UInt64(guest.pointee.index) + 1))
    hv_load_context(vcpu)
    hv_write_hvip(vcpu.pointee.hvip)
    if hypervisor.pointee.board.hasTimerCompare { hv_write_vstimecmp(vcpu.pointee.deadline) }
    if !hypervisor.pointee.hasVMIDs { hv_fence_guest_tables() }
    // vCPUs of one guest share a VMID, yet each may use an ASID for other tables; and fences of the guest while
    // the vCPU was on another hart did not reach this one.
    let resident = hv_resident(hart, vcpu.pointee.guest)
    if vcpu.pointee.hart != hart || resident != vcpu.pointee.index + 1 {
        vcpu.pointee.flush = 1
    }
    // The VMID's former guest may have left translations of the second stage.
    if resident == 0 { hv_fence_guest_tables() }
    hv_set_resident(hart, vcpu.pointee.guest, vcpu.pointee.index + 1)
    vcpu.pointee.hart = hart
    vcpu.pointee.switches &+= 1
    hart.pointee.loaded = vcpu
    fenceIfStale(hart, vcpu)
}

/// Takes the hart's vCPU off it, so that another hart can load it, and no interrupt of its wakes this hart.
func unloadWorld(_ hart: Hart) {
    guard let vcpu = hart.pointee.loaded else { return }
    hv_save_context(vcpu)
    if hypervisor.pointee.board.hasTimerCompare {
        vcpu.pointee.deadline = hv_read_vstimecmp()
        hv_write_vstimecmp(.max)
    }
    hv_write_vsie(0)
    hv_write_hvip(0)
    hart.pointee.loaded = nil
}

private func fenceIfStale(_ hart: Hart, _ vcpu: VCPU) {
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
        let present = pointee.hvip & Self.software | pointee.raised
        pointee.raised &= ~Self.software
        if present != pointee.hvip {
            pointee.hvip = present
            hv_write_hvip(present)
        }
    }

    /// Raises or lowers a level, or sends a software interrupt, from any hart.
    func setInterrupt(_ bit: UInt64, _ level: Bool) {
        let before = pointee.raised
        pointee.raised = level ? before | bit : before & ~bit
        guard pointee.raised != before else { return }
        hypervisor.pointee.scheduler.interruptsChanged(self)
    }

    /// WFI, or SBI's suspension that keeps everything.
    func waitForInterrupt(_ hart: Hart) {
        let pending = hv_read_vsip() | pointee.raised >> 1
        if pending & hv_read_vsie() != 0 { return }
        hypervisor.pointee.console.flushPrompt(hypervisor.pointee.guests + Int(pointee.guest))
        // The decision sets the hart's timer by it, before the vCPU leaves the hart.
        if hypervisor.pointee.board.hasTimerCompare { pointee.deadline = hv_read_vstimecmp() }
        pointee.state = VCPUState.waiting
        hart.pointee.reschedule = 1
    }
}
