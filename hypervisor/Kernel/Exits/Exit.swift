import Support

/// Follow an exit here: trap.S has saved the guest's registers in its vCPU and calls this function on the hart's stack, with
/// interrupts off. Before, `answerQuickCall` has had the chance to answer an environment call. The result is the vCPU that trap.S enters, with the same or another one's registers.
///
/// Exceptions that are the guest's own business (its page faults, its system calls) never come here: hedeleg gives them to VS-mode.
@c(hypervisor_trap)
public func exitFromGuest(
    _ vcpu: UnsafeMutablePointer<hv_vcpu>, _ hart: UnsafeMutablePointer<hv_hart>
) -> UnsafeMutablePointer<hv_vcpu> {
    hv_acquire()
    vcpu.pointee.exits &+= 1
    // The guest clears its own software interrupt in sip, which is this bit.
    vcpu.pointee.hvip = hv_read_hvip()
    let cause = hv_read_scause()
    if cause >> 63 == 1 {
        if cause & 0xff == 5 { handleTimer(hart) } else { handleInterrupt(cause & 0xff, hart) }
    } else {
        switch cause {
        case 2: handleIllegalInstruction(vcpu, hart)
        case 10: Firmware.call(vcpu, hart)
        case 20, 21, 23: GuestPageFault(vcpu, cause: cause).handle()
        case 22: handleVirtualInstruction(vcpu, hart)
        default: vcpu.end("its hart trapped into the hypervisor")
        }
    }
    var next = vcpu
    if hart.pointee.reschedule == 1 || vcpu.pointee.state != VCPUState.running {
        next = chooseNext(hart)
    } else {
        next.presentInterrupts()
    }
    hv_release()
    return next
}

/// An interrupt of the board's: a message from another hart, the hypervisor's timer, or a device.
func handleInterrupt(_ number: UInt64, _ hart: Hart) {
    switch number {
    case 1:
        hv_clear_software_interrupt()
        // Another hart raised an interrupt of this vCPU, or made a vCPU runnable.
        hart.pointee.reschedule = 1
    case 5: handleTimer(hart)
    case 9: InterruptController.handle(hart)
    default: break
    }
}

@inline(__always)
private func handleTimer(_ hart: Hart) {
    // The decision sets the timer again.
    hart.pointee.timer = 0
    hart.pointee.reschedule = 1
    hypervisor.pointee.scheduler.wakeDue(hart, hv_time())
    if hart.pointee.postponed != 0 { PostponedWork.continueDue(hart) }
}

/// Handles interrupts that are pending while the hart runs no guest.
func handlePendingInterrupts(_ hart: Hart) {
    let pending = hv_read_sip()
    for number in UInt64(1)..<10 where pending >> number & 1 == 1 { handleInterrupt(number, hart) }
}

/// An instruction that VS-mode may not execute: WFI waits for an interrupt; everything else is illegal to the guest.
private func handleVirtualInstruction(_ vcpu: VCPU, _ hart: Hart) {
    let isWait = hv_read_stval() == 0x1050_0073 || (hv_read_stval() == 0 && vcpu.fetchInstruction() == 0x1050_0073)
    guard isWait else { return vcpu.inject(exception: 2, value: hv_read_stval()) }
    vcpu.pointee.sepc &+= 4
    vcpu.pointee.waits &+= 1
    vcpu.waitForInterrupt(hart)
}

/// An instruction that may be of floating-point registers which the hart does not hold: it loads them, and the guest repeats the instruction.
private func handleIllegalInstruction(_ vcpu: VCPU, _ hart: Hart) {
    guard !vcpu.hasFloats(on: hart) else { return vcpu.inject(exception: 2, value: hv_read_stval()) }
    loadFloats(hart, vcpu)
}

extension UnsafeMutablePointer where Pointee == hv_vcpu {
    /// x[index] of the guest.
    subscript(register index: Int) -> UInt64 {
        get { index == 0 ? 0 : UnsafeMutableRawPointer(self).load(fromByteOffset: 8 * (index & 31), as: UInt64.self) }
        nonmutating set {
            guard index != 0 else { return }
            UnsafeMutableRawPointer(self).storeBytes(of: newValue, toByteOffset: 8 * (index & 31), as: UInt64.self)
        }
    }

    /// Gives the guest an exception as its hart would (chapter "Supervisor": trap entry). Only for the vCPU whose CSRs are loaded.
    func inject(exception cause: UInt64, value: UInt64) {
        let status = hv_read_vsstatus()
        let isSupervisor = pointee.sstatus >> 8 & 1
        let enabled = status >> 1 & 1
        hv_write_vsstatus(status & ~0x122 | isSupervisor << 8 | enabled << 5)
        hv_write_vscause(cause)
        hv_write_vsepc(pointee.sepc)
        hv_write_vstval(value)
        pointee.sepc = hv_read_vstvec() & ~3
        pointee.sstatus |= 1 << 8
    }

    /// The instruction at sepc, read as the guest's fetch would; nil: its tables forbid it. 16 bits for a compressed one.
    func fetchInstruction() -> UInt32? {
        let low = hv_fetch(pointee.sepc)
        guard low >= 0 else { return nil }
        if low & 3 != 3 { return UInt32(low) }
        let high = hv_fetch(pointee.sepc &+ 2)
        return high < 0 ? nil : UInt32(high) << 16 | UInt32(low)
    }

    /// Ends the vCPU's guest because of an error, with the state that explains it.
    func end(_ reason: StaticString) {
        let guest = owner
        say("hypervisor: guest ")
        say(text: guest.pointee.name)
        say(" ends: ")
        say(reason)
        say("\n")
        sayState("scause ", hv_read_scause(), " stval ", hv_read_stval())
        sayState("htval ", hv_read_htval(), " htinst ", hv_read_htinst())
        sayState("vscause ", hv_read_vscause(), " vsepc ", hv_read_vsepc())
        sayState("vstvec ", hv_read_vstvec(), " vsatp ", hv_read_vsatp())
        sayState("sepc ", pointee.sepc, " hart ", UInt64(pointee.id))
        for index in 0..<16 {
            let second = index + 16
            sayState("x", UInt64(index), " ", self[register: index], " x", UInt64(second), " ", self[register: second])
        }
        guest.pointee.stop(restart: false)
    }
}

private func sayState(_ a: StaticString, _ x: UInt64, _ b: StaticString, _ y: UInt64) {
    say("    ")
    say(a)
    say(hexadecimal: x)
    say(b)
    say(hexadecimal: y)
    say("\n")
}

private func sayState(
    _ a: StaticString, _ x: UInt64, _ b: StaticString, _ y: UInt64, _ c: StaticString, _ z: UInt64, _ d: StaticString,
    _ u: UInt64
) {
    say("    ")
    say(a)
    say(x)
    say(b)
    say(hexadecimal: y)
    say(c)
    say(z)
    say(d)
    say(hexadecimal: u)
    say("\n")
}
