internal import Machine
internal import SavedState
internal import Synchronization

/// One interrupt file (Advanced Interrupt Architecture 1.0, chapter 3) with 255 identities.
///
///     register   contents
///     0x70       eidelivery: bit 0
///     0x72       eithreshold: identities from it on are not signaled; 0 for no limit
///     0x80-0xBF  eip: pending bits of 64 identities in each even register
///     0xC0-0xFF  eie: enable bits
///
/// Locks: the hart's line is set with the file's lock held, so that levels arrive in order; a hart does not call back.
final class IMSICFile: InterruptFile {
    private let line: InterruptLine
    private let state = Mutex(IMSICFileState())

    /// - Parameter line: to the hart: its external interrupt of a level, or of one guest.
    init(line: InterruptLine) { self.line = line }

    func access(register number: Int, keeping kept: UInt64, setting set: UInt64) -> UInt64 {
        state.withLock { state in
            let old = state[register: number]
            let new = old & kept | set
            guard new != old else { return old }
            state[register: number] = new
            drive(&state)
            return old
        }
    }

    func top(claims: Bool) -> UInt64 {
        state.withLock { state in
            let identity = UInt64(state.best)
            if claims, identity != 0 {
                state.pending[Int(identity / 64)] &= ~(1 << (identity % 64))
                drive(&state)
            }
            return identity << 16 | identity
        }
    }

    /// Makes an identity pending. Numbers without an identity are ignored.
    func receive(_ identity: UInt32) {
        guard 1...IMSICFileState.mostIdentity ~= identity else { return }
        state.withLock { state in
            state.pending[Int(identity / 64)] |= 1 << UInt64(identity % 64)
            drive(&state)
        }
    }

    private func drive(_ state: inout IMSICFileState) {
        let level = state.isRaised
        guard level != state.output else { return }
        state.output = level
        line.set(level)
    }

    // MARK: State

    /// Shows the hart the level of the file.
    func resume() {
        state.withLock { state in
            state.output = state.isRaised
            line.set(state.output)
        }
    }

    var current: IMSICFileState {
        get { state.withLock { $0 } }
        set { state.withLock { $0 = newValue } }
    }
}

/// The registers of an interrupt file.
struct IMSICFileState: Sendable {
    static let mostIdentity: UInt32 = 255
    static let words = 4

    var delivers = false
    /// 0 to 255.
    var threshold: UInt64 = 0
    // Bit n of word k is identity 64 k + n; there is no identity 0.
    var pending = InlineArray<4, UInt64>(repeating: 0)
    var enabled = InlineArray<4, UInt64>(repeating: 0)
    /// What the hart's line shows.
    var output = false

    /// The lowest identity that is pending, enabled and below the threshold; 0 when there is none.
    var best: Int {
        for word in 0..<Self.words {
            let ready = pending[word] & enabled[word]
            guard ready != 0 else { continue }
            let identity = 64 * word + ready.trailingZeroBitCount
            return threshold == 0 || identity < threshold ? identity : 0
        }
        return 0
    }

    var isRaised: Bool { delivers && best != 0 }

    subscript(register number: Int) -> UInt64 {
        get {
            switch number {
            case 0x70: delivers ? 1 : 0
            case 0x72: threshold
            case 0x80...0xBF: Self.word(of: number, from: 0x80).map { pending[$0] } ?? 0
            case 0xC0...0xFF: Self.word(of: number, from: 0xC0).map { enabled[$0] } ?? 0
            default: 0
            }
        }
        set {
            switch number {
            case 0x70: delivers = newValue & 1 != 0
            case 0x72: threshold = newValue & UInt64(Self.mostIdentity)
            case 0x80...0xBF:
                if let word = Self.word(of: number, from: 0x80) { pending[word] = newValue & Self.mask(word) }
            case 0xC0...0xFF:
                if let word = Self.word(of: number, from: 0xC0) { enabled[word] = newValue & Self.mask(word) }
            default: break
            }
        }
    }

    /// The word behind an even register of an array; nil for one without identities.
    private static func word(of number: Int, from first: Int) -> Int? {
        let word = (number - first) / 2
        return word < words ? word : nil
    }

    /// The bits of a word that stand for identities.
    static func mask(_ word: Int) -> UInt64 { word == 0 ? ~1 : .max }
}
