import Support

/// The board's interrupt controller, whichever it is. Each device interrupts one hart.
enum InterruptController {
    case none
    case plic(PLIC)
    /// An APLIC that interrupts harts directly.
    case aplic(APLIC)
    /// An APLIC that sends messages to the harts' IMSICs.
    case messages(APLIC, IMSIC)

    // MARK: Routes

    /// Gives the hart an interrupt. False: the board has no controller, or the hart or the source has no place in it.
    static func route(_ interrupt: BoardInterrupt, to hart: Hart) -> Bool {
        guard hart.pointee.interrupt_context != .max, interrupt.source > 0,
            interrupt.source <= hypervisor.pointee.board.interrupts.sources,
            hypervisor.pointee.routeCount < hypervisor.pointee.routes.count
        else { return false }
        let index = hypervisor.pointee.routeCount
        hypervisor.pointee.routes[index] = (interrupt, hart.pointee.index)
        hypervisor.pointee.routeCount += 1
        if hart.pointee.online == 1 { enable(index, on: hart) }
        return true
    }

    /// Prepares the controller; then the boot hart's part of it.
    static func start() {
        switch hypervisor.pointee.board.interrupts {
        case .none, .plic: break
        case .aplic(let aplic): aplic.start(sendsMessages: false)
        case .messages(let aplic, _): aplic.start(sendsMessages: true)
        }
        start(on: hypervisor.pointee.harts)
    }

    /// Prepares the hart's part, and enables what the hart has been given. The hart itself does it when it has started: firmware that
    /// starts a hart clears the hart's enables, and an interrupt file is reached by the hart's CSRs.
    static func start(on hart: Hart) {
        if case .messages(_, let imsic) = hypervisor.pointee.board.interrupts, hart.pointee.interrupt_context != .max {
            imsic.start()
        }
        for index in 0..<hypervisor.pointee.routeCount where hypervisor.pointee.routes[index].hart == hart.pointee.index
        {
            enable(index, on: hart)
        }
    }

    private static func enable(_ route: Int, on hart: Hart) {
        let interrupt = hypervisor.pointee.routes[route].interrupt
        switch hypervisor.pointee.board.interrupts {
        case .none: break
        case .plic(let plic): plic.enable(interrupt.source, hart)
        case .aplic(let aplic): aplic.enable(interrupt, directly: hart)
        case .messages(let aplic, let imsic):
            // An identity is the number of the route + 1, whatever the numbers of sources are.
            imsic.enable(UInt64(route) + 1)
            aplic.enable(interrupt, target: hart.pointee.interrupt_context << 18 | UInt32(route + 1))
        }
    }

    // MARK: Interrupts

    /// Claims one interrupt, lets its driver handle it, and completes it. What stays pending interrupts again.
    static func handle(_ hart: Hart) {
        guard hart.pointee.interrupt_context != .max else { return }
        switch hypervisor.pointee.board.interrupts {
        case .none: break
        case .plic(let plic):
            let claim = plic.claim(hart)
            let source = hv_load32(claim)
            guard source != 0 else { return }
            handle(source, hart)
            hv_store32(claim, source)
        case .aplic(let aplic):
            let source = aplic.claim(hart)
            if source != 0 { handle(source, hart) }
        case .messages(let aplic, _):
            let identity = Int(hv_claim_message() >> 16)
            guard identity > 0, identity <= hypervisor.pointee.routeCount else { return }
            let source = hypervisor.pointee.routes[identity - 1].interrupt.source
            handle(source, hart)
            aplic.repeatIfHigh(source)
        }
    }

    private static func handle(_ source: UInt32, _ hart: Hart) {
        hypervisor.pointee.console.handleInterrupt(source, hart)
        Devices.handleInterrupt(source)
    }

    /// The highest number of a source.
    private var sources: UInt32 {
        switch self {
        case .none: 0
        case .plic: 1023
        case .aplic(let aplic), .messages(let aplic, _): aplic.sources
        }
    }

    /// The registers that all harts share.
    var registers: (address: UInt64, size: UInt64)? {
        switch self {
        case .none: nil
        case .plic(let plic): plic.registers
        case .aplic(let aplic), .messages(let aplic, _): aplic.registers
        }
    }
}
