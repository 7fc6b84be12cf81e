/// What generated code and the run loop tell each other. It is part of `HartState`, so that generated code reaches it.
struct TranslationState {
    /// An `ExitReason`.
    var exitReason: UInt64 = 0
    /// 1 when a slow path of a load or store left a fault in `HartState.pendingTrap`.
    var accessFailed: UInt64 = 0
    /// 1 while the host's floating-point flags are the hart's.
    var floatReady: UInt32 = 0
    /// The virtual page that relative code runs in.
    var codePage: UInt64 = 0
    /// Where the host's control word is stored to be looked at.
    var floatControl: UInt32 = 0
    /// Times that a block runs in the interpreter before it is translated; at first, and now.
    var firstThreshold: Int32 = 24 { didSet { threshold = firstThreshold } }
    private(set) var threshold: Int32 = 24
    /// Instructions retired when code was last removed.
    private var removedAt: UInt64 = 0
    /// Enters generated code: the state and a host address; nil when there is no translator.
    var enter: NativeEntry?
    /// The host address at which generated code leaves because it knows none for a guest address.
    var unknownCode: UInt = 0

    // The interpreter's counts end at 255.
    private static let highestThreshold: Int32 = 240
    /// Instructions between two removals: with less, code is made that does not last; with more, there is room again.
    private static let shortLife: UInt64 = 32 << 20
    private static let longLife: UInt64 = 512 << 20

    /// Some code was removed for lack of room. When that happens again and again, less code is worth it.
    mutating func noteRemoval(at retired: UInt64) {
        let life = retired &- removedAt
        removedAt = retired
        // All code is to be translated.
        guard firstThreshold > 1 else { return }
        if life < Self.shortLife {
            threshold = min(threshold * 2, Self.highestThreshold)
        } else if life > Self.longLife {
            threshold = max(threshold / 2, firstThreshold)
        }
    }
}

/// The C type of the generated entry. Its result counts only when a helper left the block.
typealias NativeEntry = @convention(c) (HartReference, UInt) -> OperationReference?
