import Support

/// SBI HSM: a guest starts, stops and suspends its harts.
enum HartState {
    static func call(_ vcpu: VCPU, _ hart: Hart) -> Firmware.Result {
        let guest = vcpu.owner
        switch vcpu[register: 16] {
        case 0:
            guard let target = guest.pointee.vcpu(vcpu[register: 10]) else { return (Firmware.invalid, 0) }
            guard target.pointee.state == VCPUState.stopped else { return (Firmware.alreadyAvailable, 0) }
            let entry = vcpu[register: 11]
            guard entry & 1 == 0, guest.pointee.tables.translate(entry) != nil else {
                return (Firmware.invalidAddress, 0)
            }
            target.reset(entry: entry, argument: vcpu[register: 12])
            hypervisor.pointee.scheduler.wake(target)
            return (Firmware.success, 0)
        case 1:
            vcpu.pointee.state = VCPUState.stopped
            return (Firmware.success, 0)
        case 2:
            guard let target = guest.pointee.vcpu(vcpu[register: 10]) else { return (Firmware.invalid, 0) }
            return (Firmware.success, target.pointee.state == VCPUState.stopped ? 1 : 0)
        case 3:
            // Type 0 keeps everything: it is WFI. Other types lose the hart's state, which nobody gains from here.
            guard vcpu[register: 10] == 0 else { return (Firmware.notSupported, 0) }
            vcpu.waitForInterrupt(hart)
            return (Firmware.success, 0)
        default: return (Firmware.notSupported, 0)
        }
    }
}
