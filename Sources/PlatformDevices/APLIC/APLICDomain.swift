internal import Machine
package import SavedState
internal import Synchronization

/// The registers of a domain of an APLIC (Advanced Interrupt Architecture 1.0, section 4.5), 32 bits each; other accesses do nothing.
///
///     0x0000  domaincfg                          0x1D00  in_clrip: rectified inputs, clears pending bits
///     0x0004  sourcecfg of source 1 and up       0x1DDC  clripnum
///     0x1BC0  mmsiaddrcfg, mmsiaddrcfgh,         0x1E00  setie, and 0x1EDC setienum
///             smsiaddrcfg, smsiaddrcfgh          0x1F00  clrie, and 0x1FDC clrienum
///     0x1C00  setip: pending bits                0x2000  setipnum_le, setipnum_be
///     0x1CDC  setipnum                           0x3000  genmsi, and target of source 1 and up
///
/// Interrupts go out as messages only (domaincfg.DM is always 1), and registers are little-endian (BE is 0). The addresses of messages are the
/// root domain's registers; those of the child read as zero.
package final class APLICDomain: MemoryMappedDevice {
    private static let kind = "aplic-domain"
    private static let constantConfiguration: UInt32 = 0x8000_0004
    private static let deliveryBit: UInt32 = 1 << 8

    package let name: String
    private let controller: APLIC
    private let level: APLICLevel

    package init(name: String, of controller: APLIC, level: APLICLevel) {
        (self.name, self.controller, self.level) = (name, controller, level)
    }

    private enum Register {
        case configuration
        case source(Int)
        case address(Int)
        case setPending(word: Int), clearPending(word: Int), setEnabled(word: Int), clearEnabled(word: Int)
        case setPendingNumber(isBig: Bool), clearPendingNumber, setEnabledNumber, clearEnabledNumber
        case generate
        case target(Int)

        init?(_ offset: UInt64, sources: Int, words: Int) {
            let index = Int(offset % 0x1000 / 4)
            let word = Int(offset % 0x100 / 4)
            switch offset {
            case 0: self = .configuration
            case 0x4..<0x1000 where index <= sources: self = .source(index)
            case 0x1BC0..<0x1BD0: self = .address(word - 0x30)
            case 0x1CDC: self = .setPendingNumber(isBig: false)
            case 0x1DDC: self = .clearPendingNumber
            case 0x1EDC: self = .setEnabledNumber
            case 0x1FDC: self = .clearEnabledNumber
            case 0x1C00..<0x1D00 where word < words: self = .setPending(word: word)
            case 0x1D00..<0x1E00 where word < words: self = .clearPending(word: word)
            case 0x1E00..<0x1F00 where word < words: self = .setEnabled(word: word)
            case 0x1F00..<0x2000 where word < words: self = .clearEnabled(word: word)
            case 0x2000: self = .setPendingNumber(isBig: false)
            case 0x2004: self = .setPendingNumber(isBig: true)
            case 0x3000: self = .generate
            case 0x3004..<0x4000 where index <= sources: self = .target(index)
            default: return nil
            }
        }
    }

    package func read(offset: UInt64, size: Int) -> UInt64 {
        guard size == 4, offset % 4 == 0 else { return 0 }
        return controller.state.withLock { state in
            Register(offset, sources: state.sources, words: state.words).map { UInt64(load($0, state)) } ?? 0
        }
    }

    private func load(_ register: Register, _ state: borrowing APLICState) -> UInt32 {
        switch register {
        case .configuration: Self.constantConfiguration | (state[level].delivers ? Self.deliveryBit : 0)
        case .source(let source): state[level].configurations[source]
        case .address(let number): level == .machine ? state.addresses[number] : 0
        case .setPending(let word): state[level].pending[word]
        case .clearPending(let word): inputs(word, state)
        case .setEnabled(let word): state[level].enabled[word]
        case .generate: state[level].generated
        case .target(let source): state[level].targets[source]
        case .clearEnabled, .setPendingNumber, .clearPendingNumber, .setEnabledNumber, .clearEnabledNumber: 0
        }
    }

    private func inputs(_ word: Int, _ state: borrowing APLICState) -> UInt32 {
        var result: UInt32 = 0
        for bit in 0..<32 {
            let source = 32 * word + bit
            if (1...state.sources).contains(source), state.rectified(source, level) { result |= 1 << UInt32(bit) }
        }
        return result
    }

    package func write(offset: UInt64, size: Int, value: UInt64) {
        guard size == 4, offset % 4 == 0 else { return }
        let value = UInt32(truncatingIfNeeded: value)
        let message: InterruptMessage? = controller.change { state in
            guard let register = Register(offset, sources: state.sources, words: state.words) else { return nil }
            store(register, value, &state)
            guard case .generate = register else { return nil }
            return state.message(state[level].generated, level)
        }
        // After the messages of sources, which have gone by now.
        if let message { controller.send(message) }
    }

    private func store(_ register: Register, _ value: UInt32, _ state: inout APLICState) {
        func each(_ word: Int, _ body: (Int) -> Void) {
            for bit in 0..<32 where value >> UInt32(bit) & 1 == 1 {
                if (1...state.sources).contains(32 * word + bit) { body(32 * word + bit) }
            }
        }
        func one(_ number: UInt32, _ body: (Int) -> Void) {
            if (1...UInt32(state.sources)).contains(number) { body(Int(number)) }
        }
        switch register {
        case .configuration: state[level].delivers = value & Self.deliveryBit != 0
        case .source(let source): state.configure(source, value, level)
        case .address(let number):
            guard level == .machine, !state.isLocked else { return }
            state.addresses[number] = value & APLICState.addressMasks[number]
        case .setPending(let word): each(word) { state.setPending($0, true, level) }
        case .clearPending(let word): each(word) { state.setPending($0, false, level) }
        case .setEnabled(let word): each(word) { state.setEnabled($0, true, level) }
        case .clearEnabled(let word): each(word) { state.setEnabled($0, false, level) }
        case .setPendingNumber(let isBig): one(isBig ? value.byteSwapped : value) { state.setPending($0, true, level) }
        case .clearPendingNumber: one(value) { state.setPending($0, false, level) }
        case .setEnabledNumber: one(value) { state.setEnabled($0, true, level) }
        case .clearEnabledNumber: one(value) { state.setEnabled($0, false, level) }
        case .generate: state[level].generated = value & APLICState.generatedMask
        case .target(let source): state.setTarget(source, value, level)
        }
    }

    // MARK: Lifecycle

    package func reset() {
        controller.state.withLock { state in
            state[level] = APLICDomainState(sources: state.sources)
            if level == .machine { state.addresses = InlineArray(repeating: 0) }
        }
    }

    package func save() throws(SavedStateError) -> SavedRecord {
        controller.state.withLock { state in
            var record = SavedRecord(kind: Self.kind, version: 1)
            let domain = state[level]
            record.set("delivers", domain.delivers)
            for (name, values) in [
                ("configurations", domain.configurations), ("targets", domain.targets), ("pending", domain.pending),
                ("enabled", domain.enabled), ("generated", [domain.generated]), ("levels", state.levels),
                ("addresses", (0..<4).map { state.addresses[$0] }),
            ] {
                record.set(name, values.map { UInt64($0) })
            }
            return record
        }
    }

    /// The record of the machine level has what both domains use. It is restored before the other.
    package func restore(_ record: SavedRecord) throws(SavedStateError) {
        try record.expect(kind: Self.kind, versions: 1...1)
        try controller.state.withLock { state throws(SavedStateError) in
            var domain = APLICDomainState(sources: state.sources)
            domain.delivers = try record.boolean("delivers")
            let count = state.sources + 1
            let modes = level == .machine ? APLICState.delegated | 7 : 7
            domain.configurations = try record.words("configurations", masks: Array(repeating: modes, count: count))
            domain.targets = try record.words(
                "targets", masks: Array(repeating: state.targetMask(level), count: count))
            let all = state.sourceMasks
            domain.pending = try record.words("pending", masks: all)
            domain.enabled = try record.words("enabled", masks: all)
            domain.generated = try record.words("generated", masks: [APLICState.generatedMask])[0]
            let levels = try record.words("levels", masks: all)
            let addresses = try record.words("addresses", masks: (0..<4).map { APLICState.addressMasks[$0] })
            if level == .machine {
                state.levels = levels
                for number in 0..<4 { state.addresses[number] = addresses[number] }
            }
            try Self.check(domain, isRoot: level == .machine, root: state[.machine])
            state[level] = domain
        }
    }

    /// Checks that sources have legal modes, and inactive ones nothing else; and that a child has only what its root gave it.
    private static func check(
        _ domain: APLICDomainState, isRoot: Bool, root: APLICDomainState
    ) throws(SavedStateError) {
        for source in domain.configurations.indices {
            let configuration = domain.configurations[source]
            let mode = SourceMode(rawValue: configuration)
            let isDelegated = configuration == APLICState.delegated
            let isOwn = source > 0 && (isRoot || root.configurations[source] == APLICState.delegated)
            guard mode != nil || isDelegated, isOwn || configuration == 0 else {
                throw .badField(kind: kind, field: "configurations")
            }
            guard mode == .inactive || isDelegated else { continue }
            let bits = domain.pending[source / 32] | domain.enabled[source / 32]
            guard domain.targets[source] == 0, bits >> UInt32(source % 32) & 1 == 0 else {
                throw .badField(kind: kind, field: "targets")
            }
        }
    }
}
