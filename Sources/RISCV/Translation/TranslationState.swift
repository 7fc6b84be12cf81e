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
    /// Times that a block runs in the interpreter before it is translated.
    var threshold: Int32 = 24
    /// Enters generated code: the state and a host address; nil when there is no translator.
    var enter: NativeEntry?
    /// The host address at which generated code leaves because it knows none for a guest address.
    var unknownCode: UInt = 0
}

/// The C type of the generated entry. Its result counts only when a helper left the block.
typealias NativeEntry = @convention(c) (HartReference, UInt) -> OperationReference?
