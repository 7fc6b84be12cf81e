import Support

/// SBI RFENCE. A vCPU that runs has its fence before the call returns, from the board's firmware; one that does not run has it
/// before it runs again.
enum Fences {
    static func call(_ vcpu: VCPU) -> Firmware.Result {
        let function = vcpu[register: 16]
        // 0: FENCE.I, 1 and 2: SFENCE.VMA. The others fence a second stage, which a guest does not have.
        guard function <= 2 else { return (Firmware.notSupported, 0) }
        let start = vcpu[register: 12]
        let size = vcpu[register: 13]
        let isValid = Firmware.forEachTarget(vcpu, mask: vcpu[register: 10], base: vcpu[register: 11]) { target in
            if target == vcpu {
                hv_fence_virtual_tables()
                hv_fence_instructions()
            } else if target.pointee.state == VCPUState.running, let hart = target.pointee.hart {
                guard !fence(hart, function, start, size) else { return }
                // Firmware without HFENCE: the target's hart fences when it decides again, at once.
                target.pointee.flush = 1
                hypervisor.pointee.scheduler.kick(hart)
            } else {
                target.pointee.flush = 1
            }
        }
        return (isValid ? Firmware.success : Firmware.invalid, 0)
    }

    /// Asks firmware for FENCE.I (function 0) or HFENCE.VVMA (6) with this hart's VMID, which the target has, too.
    private static func fence(_ hart: Hart, _ function: UInt64, _ start: UInt64, _ size: UInt64) -> Bool {
        let result =
            function == 0
            ? hv_sbi(0x5246_4e43, 0, 1, hart.pointee.id, 0, 0, 0)
            : hv_sbi(0x5246_4e43, 6, 1, hart.pointee.id, start, size, 0)
        return result.error == 0
    }
}
