import Support

/// The supervisors' domain of the board's APLIC (Advanced Interrupt Architecture 1.0, chapter 4).
///
///     0x0000  domaincfg                      0x1E00  setie, and 0x1EDC setienum
///     0x0004  sourcecfg of source 1 and up   0x1F00  clrie, and 0x1FDC clrienum
///     0x1C00  setip, and 0x1CDC setipnum     0x3004  target of source 1 and up
///     0x1D00  in_clrip: what wires show,     0x4000  with direct delivery, 32 bytes for each hart (IDC):
///             and 0x1DDC clripnum                    0x00 idelivery, 0x08 ithreshold, 0x1C claimi
struct APLIC {
    let registers: (address: UInt64, size: UInt64)
    let sources: UInt32

    init(registers: (address: UInt64, size: UInt64), sources: UInt32) {
        self.registers = registers
        self.sources = min(sources, 1023)
    }

    private func store(_ offset: UInt64, _ value: UInt32) { hv_store32(registers.address + offset, value) }

    /// Disables every source. After a reset only domaincfg.IE has a value that is known (section 4.5); a source must be active to be cleared.
    func start(sendsMessages: Bool) {
        store(0, 0)
        for source in 1..<sources + 1 {
            store(4 * UInt64(source), 1)
            store(0x1ddc, source)
            store(0x1fdc, source)
            store(4 * UInt64(source), 0)
        }
        // IE, and DM: messages.
        store(0, sendsMessages ? 0x104 : 0x100)
    }

    func enable(_ interrupt: BoardInterrupt, target: UInt32) {
        store(4 * UInt64(interrupt.source), interrupt.mode)
        store(0x3000 + 4 * UInt64(interrupt.source), target)
        store(0x1edc, interrupt.source)
    }

    // MARK: Messages

    /// A message is sent when a level becomes high, and no more while it stays high: the one that still is sends another (section 4.9.2).
    func repeatIfHigh(_ source: UInt32) {
        guard hv_load32(registers.address + 0x1d00 + 4 * UInt64(source / 32)) >> (source % 32) & 1 == 1 else { return }
        store(0x1cdc, source)
    }

    // MARK: Direct delivery

    private func interface(_ hart: Hart) -> UInt64 {
        registers.address + 0x4000 + 32 * UInt64(hart.pointee.interrupt_context)
    }

    /// Enables the interrupt for the hart, with priority 1.
    func enable(_ interrupt: BoardInterrupt, directly hart: Hart) {
        hv_store32(interface(hart) + 8, 0)
        hv_store32(interface(hart), 1)
        enable(interrupt, target: hart.pointee.interrupt_context << 18 | 1)
    }

    /// The source that the hart claims; 0: none.
    func claim(_ hart: Hart) -> UInt32 { hv_load32(interface(hart) + 0x1c) >> 16 }
}
