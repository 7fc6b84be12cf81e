/// A virtual processor whose hot code is translated, as other threads see it.
package protocol TranslatedProcessor: AnyObject, Sendable {
    /// The processor's part in translation, at a fixed address for its life. Only its own thread uses it while it runs.
    var translation: UnsafeMutablePointer<TranslationState> { get }

    /// Asks the processor to leave generated code, and to forget removed code before it enters any again.
    ///
    /// - Returns: a number for `waitForCodeFence`.
    func requestCodeFence() -> UInt64
    /// Waits until the processor has done what `requestCodeFence` asks for, or will before it executes its next instruction. The
    /// caller's own processor is not in guest code meanwhile, so that two processors can wait for each other.
    func waitForCodeFence(_ request: UInt64)
}
