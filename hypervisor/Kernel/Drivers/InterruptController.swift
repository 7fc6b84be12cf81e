import Support

/// The board's PLIC (RISC-V PLIC specification 1.0). Each device interrupts one hart.
enum InterruptController {
    /// Gives the hart a source. False: the board has no PLIC, or the hart has no supervisor context in it.
    static func route(_ source: UInt32, to hart: Hart) -> Bool {
        guard hypervisor.pointee.board.plic.address != 0, hart.pointee.plic_context != .max, source > 0, source < 1024,
            hypervisor.pointee.routeCount < hypervisor.pointee.routes.count
        else { return false }
        hypervisor.pointee.routes[hypervisor.pointee.routeCount] = (source, hart.pointee.index)
        hypervisor.pointee.routeCount += 1
        if hart.pointee.online == 1 { enable(source, on: hart) }
        return true
    }

    /// Enables what the hart has been given. The hart itself does it when it has started: firmware that starts a hart clears the
    /// hart's enables.
    static func enable(on hart: Hart) {
        for index in 0..<hypervisor.pointee.routeCount where hypervisor.pointee.routes[index].hart == hart.pointee.index
        {
            enable(hypervisor.pointee.routes[index].source, on: hart)
        }
    }

    private static func enable(_ source: UInt32, on hart: Hart) {
        let plic = hypervisor.pointee.board.plic.address
        let context = UInt64(hart.pointee.plic_context)
        hv_store32(plic + 4 * UInt64(source), 1)
        let enables = plic + 0x2000 + 0x80 * context + 4 * UInt64(source / 32)
        hv_store32(enables, hv_load32(enables) | 1 << (source % 32))
        hv_store32(plic + 0x20_0000 + 0x1000 * context, 0)
    }

    /// Claims one source, lets its driver handle it, and completes it. A source that stays pending interrupts again.
    static func handle(_ hart: Hart) {
        let context = UInt64(hart.pointee.plic_context)
        guard hypervisor.pointee.board.plic.address != 0, context != UInt64(UInt32.max) else { return }
        let claim = hypervisor.pointee.board.plic.address + 0x20_0004 + 0x1000 * context
        let source = hv_load32(claim)
        guard source != 0 else { return }
        hypervisor.pointee.console.handleInterrupt(source, hart)
        Devices.handleInterrupt(source)
        hv_store32(claim, source)
    }
}
