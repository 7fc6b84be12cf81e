import Support

/// The board's PLIC (RISC-V PLIC specification 1.0). A hart's place in it is its supervisor's context.
struct PLIC {
    let registers: (address: UInt64, size: UInt64)

    func enable(_ source: UInt32, _ hart: Hart) {
        let context = UInt64(hart.pointee.interrupt_context)
        hv_store32(registers.address + 4 * UInt64(source), 1)
        let enables = registers.address + 0x2000 + 0x80 * context + 4 * UInt64(source / 32)
        hv_store32(enables, hv_load32(enables) | 1 << (source % 32))
        hv_store32(registers.address + 0x20_0000 + 0x1000 * context, 0)
    }

    /// The hart's register that claims a source when it is read, and completes the one that is written.
    func claim(_ hart: Hart) -> UInt64 {
        registers.address + 0x20_0004 + 0x1000 * UInt64(hart.pointee.interrupt_context)
    }
}
