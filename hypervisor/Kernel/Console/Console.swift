import Support

/// The physical console, which the hypervisor and all guests share: a 16550A of the board, else the firmware's console
/// (output only). Each line names its guest. Input goes to the guest (or the monitor) that has the focus.
struct Console {
    static let monitor = -1
    private static let escape: UInt8 = 1  // ctrl-a

    private var uart: UInt64 = 0
    private var shift: UInt64 = 0
    private var interrupt = BoardInterrupt()
    /// Who gets the input.
    private(set) var focus = 0
    private var isEscaped = false
    /// Who wrote last, and whether the line has an end.
    private var writer = Console.monitor
    private var isLineStart = true

    mutating func start(_ board: Board) {
        (uart, shift, interrupt) = board.uart
    }

    // MARK: Output

    /// A byte of the hypervisor's.
    mutating func write(_ byte: UInt8) {
        if writer != Console.monitor, !isLineStart { newLine() }
        writer = Console.monitor
        emit(byte)
    }

    /// A byte of a guest's. Lines appear when they are whole, so that the lines of several guests do not mix.
    mutating func write(_ byte: UInt8, of guest: UnsafeMutablePointer<Guest>) {
        guest.pointee.line.append(byte)
        if byte == 10 || guest.pointee.line.isFull { flush(guest) }
    }

    /// Shows the part of a line that a guest with the focus wrote before it waits: a prompt.
    mutating func flushPrompt(_ guest: UnsafeMutablePointer<Guest>) {
        if focus == guest.pointee.index { flush(guest) }
    }

    /// Shows what the guest wrote.
    mutating func flush(_ guest: UnsafeMutablePointer<Guest>) {
        guest.pointee.line.forEach { emit($0, of: guest) }
        guest.pointee.line.clear()
    }

    private mutating func emit(_ byte: UInt8, of guest: UnsafeMutablePointer<Guest>) {
        if writer != guest.pointee.index, !isLineStart { newLine() }
        writer = guest.pointee.index
        if isLineStart {
            if byte == 13 { return }
            put(91)
            var index = 0
            while guest.pointee.name[index] != 0, index < 31 {
                put(guest.pointee.name[index])
                index += 1
            }
            put(93)
            put(32)
        }
        emit(byte)
    }

    private mutating func emit(_ byte: UInt8) {
        isLineStart = byte == 10
        if byte == 10 { put(13) }
        put(byte)
    }

    private mutating func newLine() { emit(10) }

    private func put(_ byte: UInt8) {
        guard uart != 0 else { return sayEarly(byte) }
        // A device that never gets ready must not hold the hypervisor.
        var attempts = 0
        while hv_load8(uart + 5 << shift) & 0x20 == 0, attempts < 100_000 { attempts += 1 }
        hv_store8(uart, byte)
    }

    // MARK: Input

    /// Lets the boot hart have the console's interrupt.
    func enableInput() {
        guard uart != 0, InterruptController.route(interrupt, to: hypervisor.pointee.harts) else { return }
        hv_store8(uart + 2 << shift, 1)
        hv_store8(uart + 1 << shift, 1)
    }

    mutating func handleInterrupt(_ source: UInt32, _ hart: Hart) {
        guard source == interrupt.source, uart != 0 else { return }
        // Bounded: input that arrives without end must not hold the hart; the level raises the interrupt again.
        var count = 0
        while hv_load8(uart + 5 << shift) & 1 == 1, count < 64 {
            receive(hv_load8(uart), hart)
            count += 1
        }
    }

    private mutating func receive(_ byte: UInt8, _ hart: Hart) {
        if isEscaped {
            isEscaped = false
            switch byte {
            case Console.escape: return deliver(byte, hart)
            case 49...57: return setFocus(Int(byte) - 49)
            case 48, 109: return setFocus(Console.monitor)
            default: return
            }
        }
        if byte == Console.escape { isEscaped = true } else { deliver(byte, hart) }
    }

    private mutating func deliver(_ byte: UInt8, _ hart: Hart) {
        guard focus != Console.monitor else { return hypervisor.pointee.monitor.receive(byte, hart) }
        let guest = hypervisor.pointee.guests + focus
        guest.pointee.uart.receive(byte)
        guest.pointee.updateInterrupts()
    }

    /// Gives the input to a guest, or to the monitor.
    mutating func setFocus(_ target: Int) {
        guard target == Console.monitor || target < hypervisor.pointee.guestCount else { return }
        focus = target
        if target == Console.monitor {
            say("monitor: 'help' lists the commands\n")
            hypervisor.pointee.monitor.prompt()
        } else {
            say("console: ")
            say(text: hypervisor.pointee.guests[target].name)
            say("\n")
            flush(hypervisor.pointee.guests + target)
        }
    }
}

/// The part of a guest's present line that the console does not show yet.
struct LineBuffer {
    private var bytes = InlineArray<160, UInt8>(repeating: 0)
    private var count = 0

    var isFull: Bool { count == 160 }

    mutating func append(_ byte: UInt8) {
        guard count < 160 else { return }
        bytes[count] = byte
        count += 1
    }

    mutating func clear() { count = 0 }

    func forEach(_ body: (UInt8) -> Void) {
        for index in 0..<count { body(bytes[index]) }
    }
}
