import Support

/// The SBI that a guest's kernel calls (version 2.0 of the specification). Every argument is the guest's: hart numbers, masks and
/// addresses are checked before they mean anything.
enum Firmware {
    static let success: Int64 = 0
    static let notSupported: Int64 = -2
    static let invalid: Int64 = -3
    static let invalidAddress: Int64 = -5
    static let alreadyAvailable: Int64 = -6

    typealias Result = (error: Int64, value: UInt64)

    /// An environment call of VS-mode that `answerQuickCall` leaves: a7 the extension, a6 the function, a0 to a5 the arguments.
    static func call(_ vcpu: VCPU, _ hart: Hart) {
        // Wraps: the guest may call from the last word of its address space.
        vcpu.pointee.sepc &+= 4
        let result: Result
        switch vcpu[register: 17] {
        case 0x5449_4d45: result = setGuestTimer(vcpu, hart)
        case 0x73_5049: result = sendSoftwareInterrupts(vcpu)
        case 0x5246_4e43: result = Fences.call(vcpu)
        case 0x48_534d: result = HartState.call(vcpu, hart)
        case 0x5352_5354: result = reset(vcpu)
        case 0x4442_434e: result = DebugConsole.call(vcpu)
        case 1, 2: return legacyConsole(vcpu)
        default: result = (notSupported, 0)
        }
        vcpu[register: 10] = UInt64(bitPattern: result.error)
        vcpu[register: 11] = result.value
    }

    static func base(_ vcpu: VCPU) -> Result {
        switch vcpu[register: 16] {
        case 0: return (success, 2 << 24)
        case 1: return (success, 0x4145)  // "AE": no registered implementation
        case 2: return (success, 1)
        case 3:
            switch vcpu[register: 10] {
            case 0x10, 0x5449_4d45, 0x73_5049, 0x5246_4e43, 0x48_534d, 0x5352_5354, 0x4442_434e, 1, 2:
                return (success, 1)
            default: return (success, 0)
            }
        case 4, 5, 6: return (success, 0)
        default: return (notSupported, 0)
        }
    }

    /// SBI's timer on a hart without Sstc.
    private static func setGuestTimer(_ vcpu: VCPU, _ hart: Hart) -> Result {
        guard vcpu[register: 16] == 0 else { return (notSupported, 0) }
        let deadline = vcpu[register: 10]
        vcpu.pointee.deadline = deadline
        vcpu.pointee.raised &= ~VCPU.timer
        if deadline <= hv_time() {
            vcpu.pointee.raised |= VCPU.timer
        } else if deadline < hart.pointee.timer {
            setTimer(hart, deadline)
        }
        return (success, 0)
    }

    private static func sendSoftwareInterrupts(_ vcpu: VCPU) -> Result {
        guard vcpu[register: 16] == 0 else { return (notSupported, 0) }
        let isValid = forEachTarget(vcpu, mask: vcpu[register: 10], base: vcpu[register: 11]) {
            $0.setInterrupt(VCPU.software, true)
        }
        return (isValid ? success : invalid, 0)
    }

    /// Visits the started vCPUs of a hart mask; false: the mask names a hart that the guest does not have.
    static func forEachTarget(_ vcpu: VCPU, mask: UInt64, base: UInt64, _ body: (VCPU) -> Void) -> Bool {
        let guest = vcpu.owner
        let count = UInt64(guest.pointee.vcpuCount)
        let all: UInt64 = 1 << count - 1
        var targets = all
        if base != .max {
            guard base < count || mask == 0 else { return false }
            targets = mask == 0 ? 0 : mask << base
            guard targets & ~all == 0, mask == 0 || targets >> base == mask else { return false }
        }
        for id in 0..<count where targets >> id & 1 == 1 {
            if let target = guest.pointee.vcpu(id), target.pointee.state != VCPUState.stopped { body(target) }
        }
        return true
    }

    /// SRST: type 0 is shutdown, 1 and 2 are reboots.
    private static func reset(_ vcpu: VCPU) -> Result {
        guard vcpu[register: 16] == 0 else { return (notSupported, 0) }
        let type = vcpu[register: 10]
        guard type <= 2, vcpu[register: 11] <= 1 else { return (invalid, 0) }
        hypervisor.pointee.guests[Int(vcpu.pointee.guest)].stop(restart: type != 0)
        return (success, 0)
    }

    /// The console of version 0.1: a0 is the whole result.
    private static func legacyConsole(_ vcpu: VCPU) {
        let guest = vcpu.owner
        if vcpu[register: 17] == 1 {
            guest.pointee.write(UInt8(truncatingIfNeeded: vcpu[register: 10]))
            vcpu[register: 10] = 0
        } else {
            hypervisor.pointee.console.flushPrompt(guest)
            vcpu[register: 10] = guest.pointee.uart.take().map { UInt64($0) } ?? .max
        }
    }
}
