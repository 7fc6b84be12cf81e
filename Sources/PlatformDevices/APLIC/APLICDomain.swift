internal import Machine
internal import Synchronization

/// The registers of a domain of an APLIC (Advanced Interrupt Architecture 1.0, section 4.5), 32 bits each; other accesses do nothing.
///
///     0x0000  domaincfg                          0x1D00  in_clrip: rectified inputs, clears pending bits
///     0x0004  sourcecfg of source 1 and up       0x1DDC  clripnum
///     0x1BC0  mmsiaddrcfg, mmsiaddrcfgh,         0x1E00  setie, and 0x1EDC setienum
///             smsiaddrcfg, smsiaddrcfgh          0x1F00  clrie, and 0x1FDC clrienum
///     0x1C00  setip: pending bits                0x2000  setipnum_le, setipnum_be
///     0x1CDC  setipnum                           0x3000  genmsi, and target of source 1 and up
///     0x4000  with direct delivery, an `APLICInterface` for each hart
///
/// domaincfg.DM is the controller's kind of delivery for good, and registers are little-endian (BE is 0). The addresses of messages are the
/// root domain's registers; those of the child read as zero.
package final class APLICDomain: MemoryMappedDevice {
    private static let constantConfiguration: UInt32 = 0x8000_0000
    private static let messageBit: UInt32 = 1 << 2
    private static let deliveryBit: UInt32 = 1 << 8

    package let name: String
    let controller: APLIC
    let level: APLICLevel

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
        case interface(hart: Int, APLICInterface.Register)

        init?(_ offset: UInt64, sources: Int, words: Int, harts: Int) {
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
            case 0x4000..<APLIC.size:
                let (hart, rest) = Int(offset - 0x4000).quotientAndRemainder(dividingBy: APLICInterface.size)
                guard hart < harts, let register = APLICInterface.Register(rawValue: rest) else { return nil }
                self = .interface(hart: hart, register)
            default: return nil
            }
        }
    }

    package func read(offset: UInt64, size: Int) -> UInt64 {
        guard size == 4, offset % 4 == 0 else { return 0 }
        if let hart = claimingHart(offset) { return UInt64(controller.change { $0.claim(hart, level) }) }
        return controller.state.withLock { state in register(offset, state).map { UInt64(load($0, state)) } ?? 0 }
    }

    /// The hart whose claimi, the only register that changes when it is read, lies there.
    private func claimingHart(_ offset: UInt64) -> Int? {
        guard offset >= 0x4000, case .interface(let hart, .claim)? = controller.state.withLock({ register(offset, $0) })
        else { return nil }
        return hart
    }

    private func register(_ offset: UInt64, _ state: borrowing APLICState) -> Register? {
        Register(offset, sources: state.sources, words: state.words, harts: state[level].interfaces.count)
    }

    private func load(_ register: Register, _ state: borrowing APLICState) -> UInt32 {
        switch register {
        case .configuration:
            Self.constantConfiguration | (state[level].delivers ? Self.deliveryBit : 0)
                | (state.isDirect ? 0 : Self.messageBit)
        case .source(let source): state[level].configurations[source]
        case .address(let number): level == .machine ? state.addresses[number] : 0
        case .setPending(let word): state[level].pending[word]
        case .clearPending(let word): inputs(word, state)
        case .setEnabled(let word): state[level].enabled[word]
        case .generate: state[level].generated
        case .target(let source): state[level].targets[source]
        case .interface(let hart, let register): state.load(register, ofHart: hart, level)
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
            guard let register = register(offset, state) else { return nil }
            store(register, value, &state)
            guard case .generate = register, !state.isDirect else { return nil }
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
            state.addresses[number] = value & state.addressMask(number)
        case .setPending(let word): each(word) { state.setPending($0, true, level) }
        case .clearPending(let word): each(word) { state.setPending($0, false, level) }
        case .setEnabled(let word): each(word) { state.setEnabled($0, true, level) }
        case .clearEnabled(let word): each(word) { state.setEnabled($0, false, level) }
        case .setPendingNumber(let isBig): one(isBig ? value.byteSwapped : value) { state.setPending($0, true, level) }
        case .clearPendingNumber: one(value) { state.setPending($0, false, level) }
        case .setEnabledNumber: one(value) { state.setEnabled($0, true, level) }
        case .clearEnabledNumber: one(value) { state.setEnabled($0, false, level) }
        case .generate: state[level].generated = value & state.generatedMask
        case .target(let source): state.setTarget(source, value, level)
        case .interface(let hart, let register): state.store(register, value, ofHart: hart, level)
        }
    }
}
