internal import HostSystem
internal import Synchronization

/// A processor's part in translation: the fields that its run loop and generated code share, and its lookup cache. It is a part
/// of the processor's state, so that generated code reaches it.
package struct TranslationState: ~Copyable {
    // Generated code writes these; `StateLayout.place` says where they are.

    /// An `ExitReason`.
    package var exitReason: UInt64 = 0
    /// 1 when a slow path of a load or store left a fault for the run loop.
    package var accessFailed: UInt64 = 0
    /// 1 while the host's floating-point flags are the guest's.
    package var floatReady: UInt32 = 0
    /// The virtual page that relative code runs in.
    package var codePage: UInt64 = 0
    /// Where the host's control word is stored to be looked at.
    package var floatControl: UInt32 = 0

    /// Enters generated code; nil when nothing is translated.
    package internal(set) var enter: NativeEntry?
    /// The host address at which generated code leaves because it knows none for a guest address.
    package internal(set) var unknownCode: UInt = 0
    /// Nil when the interpreter does everything.
    package internal(set) var engine: TranslationEngine?
    /// The processor's number, for traces.
    package internal(set) var number = 0

    /// Set to 1 to get the processor out of guest code. The processor owns it, and outlives this state.
    var attention: UnsafePointer<Atomic<UInt32>>?

    // Agreement with guest memory.

    /// The last moment, as the engine counts them, at which this processor's fetches were to see what was stored before: code that
    /// agreed with guest memory then may run.
    package internal(set) var generation: UInt64 = 1
    /// `TranslationEngine.removals` when this processor last forgot removed code.
    package internal(set) var seenRemovals: UInt64 = 0
    package var lookups = LookupCache()

    // When it is worth while to translate.

    /// Times that a block runs in the interpreter before it is translated.
    package private(set) var threshold: Int32 = 24
    private var firstThreshold: Int32 = 24
    private var idle = IdlePhase()
    /// Instructions retired when code was last removed.
    private var removedAt: UInt64 = 0

    /// An interpreter counts no further than to 255.
    private static let highestThreshold: Int32 = 240
    /// Instructions between two removals: with less, code is made that does not last; with more, there is room again.
    private static let shortLife: UInt64 = 32 << 20
    private static let longLife: UInt64 = 512 << 20

    package init() {}

    /// Sets the threshold that holds while there is enough room for code. 1 translates everything, also when there is little.
    package mutating func setThreshold(_ threshold: Int32) {
        firstThreshold = threshold
        self.threshold = threshold
    }

    /// The processor's fetches are to see everything that was stored before.
    package mutating func startGeneration() {
        if let engine { generation = engine.startGeneration() }
    }

    /// Forgets code that was removed. Between runs of guest code.
    ///
    /// - Parameter retired: instructions that the processor has retired.
    /// - Returns: whether there was any. The jump cache is to be forgotten, too, then.
    package mutating func forgetRemovedCode(at retired: UInt64) -> Bool {
        guard let engine else { return false }
        let removals = engine.removals.load(ordering: .sequentiallyConsistent)
        guard removals != seenRemovals else { return false }
        seenRemovals = removals
        noteRemoval(at: retired)
        lookups.removeAll()
        return true
    }

    /// Forgets all code, and gives memory back, after `TranslationEngine.trim`. The jump cache is to be forgotten, too.
    package mutating func trim() {
        lookups.trim()
        idle.start()
        if let engine { seenRemovals = engine.removals.load(ordering: .sequentiallyConsistent) }
    }

    /// Whether the guest is idle since the last `trim`: then nothing is translated.
    ///
    /// - Parameter retired: instructions that the processor has retired.
    package mutating func isIdle(at retired: UInt64) -> Bool {
        idle.isOn && idle.goesOn(now: HostClock.monotonic(), retired: retired)
    }

    /// The entry of the translated block at an address, if there is one.
    package mutating func find(_ address: UInt64, physical: UInt64) -> CodeEntry? {
        guard let engine else { return nil }
        if let entry = lookups.find(address, physical: physical, generation: generation, engine) { return entry }
        guard let (entry, owner, epoch) = engine.find(address, physical: physical, generation: generation) else {
            return nil
        }
        lookups.insert(physical: physical, generation: generation, entry, of: owner, epoch: epoch)
        return entry
    }

    /// Some code was removed for lack of room. When that happens again and again, less code is worth it.
    private mutating func noteRemoval(at retired: UInt64) {
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
