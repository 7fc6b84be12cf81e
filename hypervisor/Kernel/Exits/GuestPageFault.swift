import Support

/// Follow a page fault of the second stage here: the guest's own tables allowed the access, and the hypervisor's have no memory there.
/// It is an access to a virtual device, or to nothing.
struct GuestPageFault {
    let vcpu: VCPU
    let cause: UInt64
    let guestAddress: UInt64

    init(_ vcpu: VCPU, cause: UInt64) {
        self.vcpu = vcpu
        self.cause = cause
        // htval has the address without its low two bits, which stval has.
        guestAddress = hv_read_htval() << 2 | hv_read_stval() & 3
    }

    func handle() {
        let guest = vcpu.owner
        guard cause != 20, let access = decode() else { return refuse() }
        if guest.hasVirtioDevice(at: guestAddress) {
            guard accessVirtio(guest, access) else { return }
        } else if !guest.pointee.hasDevice(at: guestAddress) {
            return refuse()
        } else if access.isStore {
            guest.pointee.store(guestAddress, vcpu[register: access.register], size: access.size)
        } else {
            let value = guest.pointee.load(guestAddress, size: access.size)
            vcpu[register: access.register] = access.extended(value)
        }
        vcpu.pointee.sepc &+= access.length
    }

    /// False: the vCPU waits, and repeats the access.
    private func accessVirtio(_ guest: UnsafeMutablePointer<Guest>, _ access: MemoryAccess) -> Bool {
        guard access.isStore else {
            vcpu[register: access.register] = access.extended(guest.loadVirtio(guestAddress, size: access.size))
            return true
        }
        return guest.storeVirtio(guestAddress, vcpu[register: access.register], size: access.size, vcpu)
    }

    /// An access fault in the guest, as a board without a device there would give it.
    private func refuse() {
        let exception: UInt64 = cause == 20 ? 1 : cause == 21 ? 5 : 7
        // A guest whose trap vector cannot be fetched would fault there forever.
        if cause == 20, vcpu.pointee.sepc == hv_read_vstvec() & ~3 { return vcpu.end("its trap vector is no memory") }
        vcpu.inject(exception: exception, value: hv_read_stval())
    }

    /// The access, from htinst where the hart gives it, else from the instruction itself.
    private func decode() -> MemoryAccess? {
        let transformed = hv_read_htinst()
        if transformed & 1 == 1 {
            // Bit 1 is 0 for a compressed instruction, which htinst holds in its uncompressed form.
            return MemoryAccess(word: UInt32(truncatingIfNeeded: transformed) | 2, length: transformed & 2 == 0 ? 2 : 4)
        }
        // Other values but 0: an access of the guest's page-table walk.
        guard transformed == 0, let instruction = vcpu.fetchInstruction() else { return nil }
        return instruction & 3 == 3
            ? MemoryAccess(word: instruction, length: 4) : MemoryAccess(compressed: instruction)
    }
}

/// A load or store of general registers.
struct MemoryAccess {
    let isStore: Bool
    let size: Int
    let isSigned: Bool
    let register: Int
    let length: UInt64

    init?(word: UInt32, length: UInt64) {
        let width = word >> 12 & 7
        self.length = length
        size = 1 << Int(width & 3)
        switch word & 0x7f {
        case 0x03 where width != 7:
            (isStore, isSigned, register) = (false, width < 4, Int(word >> 7 & 31))
        case 0x23 where width < 4:
            (isStore, isSigned, register) = (true, false, Int(word >> 20 & 31))
        default: return nil
        }
    }

    /// C.LW, C.LD, C.SW, C.SD and their forms relative to sp.
    init?(compressed word: UInt32) {
        length = 2
        isSigned = true
        let operation = word >> 13 & 7
        switch word & 3 {
        case 0 where operation == 2 || operation == 3 || operation == 6 || operation == 7:
            (isStore, register) = (operation >= 6, 8 + Int(word >> 2 & 7))
        case 2 where operation == 2 || operation == 3:
            (isStore, register) = (false, Int(word >> 7 & 31))
        case 2 where operation == 6 || operation == 7:
            (isStore, register) = (true, Int(word >> 2 & 31))
        default: return nil
        }
        size = operation & 1 == 0 ? 4 : 8
    }

    /// A loaded value as the register gets it.
    func extended(_ value: UInt64) -> UInt64 {
        let shift = UInt64(64 - 8 * size)
        return isSigned
            ? UInt64(bitPattern: Int64(bitPattern: value << shift) >> Int64(shift)) : (value << shift) >> shift
    }
}
