package import Machine
internal import Synchronization

/// An advanced platform-level interrupt controller (Advanced Interrupt Architecture 1.0, chapter 4). It has a root domain at machine level and a
/// child of it at supervisor level. Both forward the interrupts of wires as messages (domaincfg.DM is 1, section 4.9), or both signal them to
/// harts directly (DM is 0, section 4.8): a board has harts with interrupt files, or without.
///
/// Locks: messages are sent, and lines are set, with the controller's lock held, so that they arrive in order; interrupt files and harts, which they
/// lead to, do not call back.
package final class APLIC: InterruptSink {
    /// Bytes of a domain's registers: with direct delivery there is room for the interfaces of 512 harts.
    package static let size: UInt64 = 0x8000
    private static let mostHarts = 512

    let state: Mutex<APLICState>
    /// Nil with direct delivery.
    private let messages: (any MessageSink)?
    /// By level, the external interrupts of harts; none with messages.
    private let lines: [[InterruptLine]]

    /// A controller that sends messages.
    ///
    /// - Parameters:
    ///   - sources: the highest source number, 1 to 1023 (the device tree's `riscv,num-sources`).
    ///   - guestIndexBits: the width of the numbers of harts' guest interrupt files, 0 to 6; 0 without any.
    ///   - messages: takes the messages for harts.
    package init(sources: Int, guestIndexBits: UInt64, messages: any MessageSink) {
        precondition((1...1023).contains(sources) && guestIndexBits <= 6, "an APLIC has 1 to 1023 sources")
        self.messages = messages
        lines = [[], []]
        state = Mutex(APLICState(sources: sources, guestIndexBits: guestIndexBits))
    }

    /// A controller that signals interrupts to harts directly.
    ///
    /// - Parameters:
    ///   - sources: as above.
    ///   - machine: machine external interrupts, by the index of the hart; at most 512.
    ///   - supervisor: supervisor external interrupts of the same harts.
    package init(sources: Int, machine: [InterruptLine], supervisor: [InterruptLine]) {
        precondition((1...1023).contains(sources), "an APLIC has 1 to 1023 sources")
        precondition((1...Self.mostHarts).contains(machine.count) && machine.count == supervisor.count)
        messages = nil
        lines = [machine, supervisor]
        state = Mutex(APLICState(sources: sources, harts: machine.count))
    }

    package func setInterrupt(_ number: Int, level: Bool) {
        change { state in
            precondition((1...state.sources).contains(number), "the board has no such interrupt source")
            state.setLevel(number, level)
        }
    }

    /// Changes the state, and delivers the interrupts that are due then.
    func change<Result>(_ body: (inout APLICState) -> Result) -> Result {
        state.withLock { state in
            let result = body(&state)
            for level in APLICLevel.allCases {
                if let messages { state.forward(level) { messages.send($0) } } else { drive(level, &state) }
            }
            return result
        }
    }

    /// Sets the lines that changed.
    private func drive(_ level: APLICLevel, _ state: inout APLICState) {
        let lines = lines[level.rawValue]
        for hart in lines.indices {
            let isHigh = state.isSignaled(hart, level)
            guard isHigh != state[level].interfaces[hart].isSignaled else { continue }
            state[level].interfaces[hart].isSignaled = isHigh
            lines[hart].set(isHigh)
        }
    }

    /// Sets all lines of a level, whatever harts show.
    func driveAll(_ level: APLICLevel) {
        state.withLock { state in
            let lines = lines[level.rawValue]
            for hart in lines.indices {
                state[level].interfaces[hart].isSignaled = state.isSignaled(hart, level)
                lines[hart].set(state[level].interfaces[hart].isSignaled)
            }
        }
    }

    func send(_ message: InterruptMessage) { messages?.send(message) }

    /// Leaves the controller to a supervisor as firmware does: all sources are its domain's, and messages go to interrupt files at these
    /// addresses.
    ///
    /// - Parameters:
    ///   - machine: the guest-physical address of the first hart's machine-level interrupt file; the others follow it.
    ///   - supervisor: the same at supervisor level, with the guest interrupt files of a hart behind its own.
    ///   - hartIndexBits: the width of hart numbers.
    package func delegateAll(machine: UInt64, supervisor: UInt64, hartIndexBits: UInt64) {
        change { state in
            state.setAddresses(machine: machine, supervisor: supervisor, hartIndexBits: hartIndexBits)
            state.delegateAll()
        }
    }

    /// The same for direct delivery, which needs no addresses.
    package func delegateAll() { change { $0.delegateAll() } }
}

/// The privilege level of a domain.
package enum APLICLevel: Int, CaseIterable, Sendable {
    case machine, supervisor
}
