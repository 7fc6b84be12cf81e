import Support

/// The environment calls that need neither the kernel lock nor a decision: trap.S has saved only what a function may change, and returns
/// to the guest at once. They read what boot has written for good, and change nothing but the calling vCPU and its hart's own CSRs.
///
/// An interrupt that another hart raises for this vCPU comes with a message to the hart, which is taken right behind the return.
///
/// - Returns: the vCPU; nil: the call takes the way of all exits (`exitFromGuest`), with nothing changed.
@c(hypervisor_quick_call)
public func answerQuickCall(_ vcpu: UnsafeMutablePointer<hv_vcpu>) -> UnsafeMutablePointer<hv_vcpu>? {
    let result: Firmware.Result
    switch vcpu[register: 17] {
    case 0x10: result = Firmware.base(vcpu)
    case 0x5449_4d45:
        guard hypervisor.pointee.board.hasTimerCompare, vcpu[register: 16] == 0 else { return nil }
        hv_write_vstimecmp(vcpu[register: 10])
        result = (Firmware.success, 0)
    default: return nil
    }
    vcpu.pointee.exits &+= 1
    vcpu[register: 10] = UInt64(bitPattern: result.error)
    vcpu[register: 11] = result.value
    return vcpu
}
