package import Machine
package import SavedState
internal import Synchronization

/// A platform-level interrupt controller (RISC-V PLIC Specification 1.0.0) with priorities 0 to 7.
///
///     offset    registers, 32 bits each
///     0x000000  priority of each source
///     0x001000  pending bits (read only)
///     0x002000  enable bits, 0x80 bytes a context
///     0x200000  a page for each context: +0 priority threshold, +4 claim (read) and complete (write)
///
/// Source lines are levels: a line that is still high when its interrupt is completed makes it pending again.
///
/// Locks: context lines are set with the controller's lock held, so that levels arrive in order; processors, which they
/// lead to, do not call back.
package final class PLIC: MemoryMappedDevice, InterruptSink {
    package static let size: UInt64 = 0x60_0000
    /// Contexts that `size` has room for.
    package static let maximumContexts = 1024

    package let name: String
    private let lines: [InterruptLine]
    private let state: Mutex<Guarded>

    private struct Guarded {
        var registers: PLICState
        /// What the contexts' lines show.
        var outputs: [Bool]
    }

    /// - Parameters:
    ///   - sources: the highest source number, 1 to 1023 (the device tree's `riscv,ndev`).
    ///   - contexts: where each context's interrupt leads, at most `maximumContexts`.
    package init(name: String, sources: Int, contexts: [InterruptLine]) {
        precondition((1...1023).contains(sources), "a PLIC has 1 to 1023 sources")
        precondition(contexts.count <= Self.maximumContexts, "the PLIC's window has room for 1024 contexts")
        self.name = name
        lines = contexts
        state = Mutex(
            Guarded(
                registers: PLICState(sources: sources, contexts: contexts.count),
                outputs: Array(repeating: false, count: contexts.count)))
    }

    package func setInterrupt(_ number: Int, level: Bool) {
        state.withLock { state in
            precondition((1...state.registers.sources).contains(number), "the board has no such interrupt source")
            state.registers.setLevel(number, level)
            drive(&state)
        }
    }

    package func read(offset: UInt64, size: Int) -> UInt64 {
        state.withLock { state in
            let value = WordAccess.read(offset: offset, size: size) { load($0, &state.registers) }
            drive(&state)
            return value
        }
    }

    package func write(offset: UInt64, size: Int, value: UInt64) {
        state.withLock { state in
            WordAccess.write(offset: offset, size: size, value: value) { store($0, $1, &state.registers) }
            drive(&state)
        }
    }

    private enum Register {
        case priority(Int)
        case pending(word: Int)
        /// An index into `PLICState.enables`, and the word's place among a context's.
        case enable(index: Int, word: Int)
        case threshold(context: Int)
        case claim(context: Int)

        init?(_ offset: UInt64, _ state: PLICState) {
            switch offset {
            case ..<0x1000:
                let source = Int(offset / 4)
                guard (1...state.sources).contains(source) else { return nil }
                self = .priority(source)
            case ..<0x2000:
                let word = Int(offset - 0x1000) / 4
                guard word < state.words else { return nil }
                self = .pending(word: word)
            case ..<0x20_0000:
                let (context, rest) = Int(offset - 0x2000).quotientAndRemainder(dividingBy: 0x80)
                guard context < state.contexts, rest / 4 < state.words else { return nil }
                self = .enable(index: context * state.words + rest / 4, word: rest / 4)
            case ..<PLIC.size:
                let (context, rest) = Int(offset - 0x20_0000).quotientAndRemainder(dividingBy: 0x1000)
                guard context < state.contexts, rest == 0 || rest == 4 else { return nil }
                self = rest == 0 ? .threshold(context: context) : .claim(context: context)
            default: return nil
            }
        }
    }

    private func load(_ offset: UInt64, _ state: inout PLICState) -> UInt32 {
        switch Register(offset, state) {
        case .priority(let source): state.priorities[source]
        case .pending(let word): state.pending[word]
        case .enable(let index, _): state.enables[index]
        case .threshold(let context): state.thresholds[context]
        case .claim(let context): state.claim(context: context)
        case nil: 0
        }
    }

    private func store(_ offset: UInt64, _ value: UInt32, _ state: inout PLICState) {
        switch Register(offset, state) {
        case .priority(let source): state.priorities[source] = value & PLICState.priorityMask
        case .enable(let index, let word): state.enables[index] = value & state.sourceMasks[word]
        case .threshold(let context): state.thresholds[context] = value & PLICState.priorityMask
        case .claim(let context): state.complete(context: context, source: value)
        case .pending, nil: break
        }
    }

    private func drive(_ state: inout Guarded) {
        for context in lines.indices {
            let level = state.registers.isRaised(context: context)
            if level != state.outputs[context] {
                state.outputs[context] = level
                lines[context].set(level)
            }
        }
    }

    // MARK: Lifecycle

    package func start() { resume() }

    package func resume() {
        state.withLock { state in
            for context in lines.indices {
                state.outputs[context] = state.registers.isRaised(context: context)
                lines[context].set(state.outputs[context])
            }
        }
    }

    package func reset() {
        state.withLock { state in
            state.registers = PLICState(sources: state.registers.sources, contexts: state.registers.contexts)
        }
    }

    package func save() throws(SavedStateError) -> SavedRecord {
        state.withLock { $0.registers.saved }
    }

    package func restore(_ record: SavedRecord) throws(SavedStateError) {
        try state.withLock { state throws(SavedStateError) in try state.registers.restore(record) }
    }
}
