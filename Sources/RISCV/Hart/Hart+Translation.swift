package import TranslationRuntime

extension Hart: TranslatedProcessor {
    package var translation: UnsafeMutablePointer<TranslationState> {
        // A stored property of memory, which is at a fixed address.
        withUnsafeMutablePointer(to: &state.pointee.translation) { $0 }
    }

    package func requestCodeFence() -> UInt64 { requestFence(.instructions) }

    package func waitForCodeFence(_ request: UInt64) { waitForFence(request) }
}

extension HartState {
    /// Forgets removed code. Between runs of guest code.
    mutating func forgetRemovedCode() {
        if translation.forgetRemovedCode(at: retired) { flushInstructions() }
    }
}
