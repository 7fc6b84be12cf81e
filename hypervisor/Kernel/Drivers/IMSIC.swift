import Support

/// The IMSICs of the board's harts (Advanced Interrupt Architecture 1.0, chapter 3). A hart's supervisor has an interrupt file: a page, where
/// a store of an identity makes that interrupt pending, and registers behind the CSRs siselect and sireg. In the pages behind it are the hart's
/// guest interrupt files, if it has any: hstatus.VGEIN names the one that VS-mode has as its own.
struct IMSIC {
    private static let delivery: UInt64 = 0x70
    private static let threshold: UInt64 = 0x72
    private static let pending: UInt64 = 0x80
    private static let enabled: UInt64 = 0xc0

    /// The highest identity.
    let identities: UInt32
    /// A message's address has the hart's number from bit 12 + `guestBits` on, and its group's from `groupShift` on.
    private let guestBits: UInt64
    private let hartBits: UInt64
    private let groupBits: UInt64
    private let groupShift: UInt64

    /// nil: the node has no files, or its numbers are none.
    init?(_ node: DeviceTree.Node) {
        let files = (node.property("interrupts-extended")?.length ?? 0) / 8
        identities = min(node.word("riscv,num-ids") ?? 0, 2047)
        guestBits = UInt64(node.word("riscv,guest-index-bits") ?? 0)
        hartBits = UInt64(node.word("riscv,hart-index-bits") ?? UInt32(64 - max(files - 1, 0).leadingZeroBitCount))
        groupBits = UInt64(node.word("riscv,group-index-bits") ?? 0)
        groupShift = UInt64(node.word("riscv,group-index-shift") ?? 24)
        guard files > 0, identities >= 63, guestBits < 7, hartBits + groupBits <= 14, groupShift < 56 else {
            return nil
        }
    }

    /// Finds the interrupt file of the hart that has pair `index` of `interrupts-extended`: the ranges of `reg` have the files in this order.
    func place(_ hart: Hart, _ index: Int, _ node: DeviceTree.Node) {
        var offset = UInt64(index) << (12 + guestBits)
        var number = 0
        while let range = node.range(number) {
            guard offset >= range.size else {
                let page = range.address + offset
                let group = page >> groupShift & (1 << groupBits - 1)
                hart.pointee.interrupt_file = page
                hart.pointee.interrupt_context = UInt32(
                    page >> (12 + guestBits) & (1 << hartBits - 1) | group << hartBits)
                return
            }
            offset -= range.size
            number += 1
        }
    }

    /// Whether there is a place for them.
    var hasGuestFiles: Bool { guestBits > 0 }

    private func store(_ register: UInt64, _ value: UInt64) {
        hv_write_siselect(register)
        hv_write_sireg(value)
    }

    /// Empties this hart's file, and lets it interrupt.
    func start() {
        // Registers of 64 interrupts; those with odd numbers do not exist.
        for word in 0...UInt64(identities / 64) {
            store(Self.enabled + 2 * word, 0)
            store(Self.pending + 2 * word, 0)
        }
        store(Self.threshold, 0)
        store(Self.delivery, 1)
    }

    /// Enables an identity of this hart, from 1 to 63.
    func enable(_ identity: UInt64) {
        hv_write_siselect(Self.enabled)
        hv_write_sireg(hv_read_sireg() | 1 << identity)
    }

    // MARK: Guests

    /// Makes the guest interrupt file of a vCPU what it is after a reset: empty, and without delivery. This hart holds the vCPU.
    static func emptyFile(_ vcpu: VCPU) {
        guard case .messages(_, let imsic) = hypervisor.pointee.board.interrupts else { return }
        // With the vCPU's VGEIN; entry writes hstatus again.
        hv_write_hstatus(vcpu.pointee.hstatus)
        func store(_ register: UInt64, _ value: UInt64) {
            hv_write_vsiselect(register)
            hv_write_vsireg(value)
        }
        for word in 0...UInt64(imsic.identities / 64) {
            store(enabled + 2 * word, 0)
            store(pending + 2 * word, 0)
        }
        store(threshold, 0)
        store(delivery, 0)
        hv_write_vsiselect(vcpu.pointee.vsiselect)
    }
}

extension hv_hart {
    /// The page of the hart's first guest interrupt file, which one vCPU has for good, as it has the hart; 0: there is none.
    var guestFile: UInt64 { interrupt_file == 0 ? 0 : interrupt_file + 0x1000 }
}
