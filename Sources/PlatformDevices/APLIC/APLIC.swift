package import Machine
internal import Synchronization

/// An advanced platform-level interrupt controller (Advanced Interrupt Architecture 1.0, chapter 4) that forwards the interrupts of its wires as
/// messages. It has a root domain at machine level and a child of it at supervisor level.
///
/// Locks: messages are sent with the controller's lock held, so that they arrive in order; interrupt files, which they lead to, do not call back.
package final class APLIC: InterruptSink {
    /// Bytes of a domain's registers.
    package static let size: UInt64 = 0x8000

    let state: Mutex<APLICState>
    private let messages: any MessageSink

    /// - Parameters:
    ///   - sources: the highest source number, 1 to 1023 (the device tree's `riscv,num-sources`).
    ///   - guestIndexBits: the width of the numbers of harts' guest interrupt files, 0 to 6; 0 without any.
    ///   - messages: takes the messages for harts.
    package init(sources: Int, guestIndexBits: UInt64, messages: any MessageSink) {
        precondition((1...1023).contains(sources) && guestIndexBits <= 6, "an APLIC has 1 to 1023 sources")
        self.messages = messages
        state = Mutex(APLICState(sources: sources, guestIndexBits: guestIndexBits))
    }

    package func setInterrupt(_ number: Int, level: Bool) {
        change { state in
            precondition((1...state.sources).contains(number), "the board has no such interrupt source")
            state.setLevel(number, level)
        }
    }

    /// Changes the state, and sends the messages that are due then.
    func change<Result>(_ body: (inout APLICState) -> Result) -> Result {
        state.withLock { state in
            let result = body(&state)
            for level in APLICLevel.allCases { state.forward(level) { messages.send($0) } }
            return result
        }
    }

    func send(_ message: InterruptMessage) { messages.send(message) }

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
            for source in 1...state.sources { state.configure(source, APLICState.delegated, .machine) }
            state[.machine].delivers = true
        }
    }
}

/// The privilege level of a domain.
package enum APLICLevel: Int, CaseIterable, Sendable {
    case machine, supervisor
}
