import Support

/// SBI DBCN.
enum DebugConsole {
    /// Bytes of one call; the guest calls again for the rest, so that no call keeps the hypervisor long.
    private static let most: UInt64 = 256

    static func call(_ vcpu: VCPU) -> Firmware.Result {
        let guest = vcpu.owner
        switch vcpu[register: 16] {
        case 0: return write(vcpu, guest)
        case 1: return read(vcpu, guest)
        case 2:
            guest.pointee.write(UInt8(truncatingIfNeeded: vcpu[register: 10]))
            return (Firmware.success, 0)
        default: return (Firmware.notSupported, 0)
        }
    }

    private static func write(_ vcpu: VCPU, _ guest: UnsafeMutablePointer<Guest>) -> Firmware.Result {
        guard vcpu[register: 12] == 0 else { return (Firmware.invalid, 0) }
        let count = min(vcpu[register: 10], most)
        for index in 0..<count {
            guard let place = guest.pointee.tables.translate(vcpu[register: 11] &+ index) else {
                return (Firmware.invalid, 0)
            }
            guest.pointee.write(pointer(place.address).pointee)
        }
        return (Firmware.success, count)
    }

    private static func read(_ vcpu: VCPU, _ guest: UnsafeMutablePointer<Guest>) -> Firmware.Result {
        guard vcpu[register: 12] == 0 else { return (Firmware.invalid, 0) }
        hypervisor.pointee.console.flushPrompt(guest)
        let count = min(vcpu[register: 10], most)
        for index in 0..<count {
            guard let place = guest.pointee.tables.translate(vcpu[register: 11] &+ index) else {
                return (Firmware.invalid, 0)
            }
            guard let byte = guest.pointee.uart.take() else { return (Firmware.success, index) }
            pointer(place.address).pointee = byte
        }
        return (Firmware.success, count)
    }
}
