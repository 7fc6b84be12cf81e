internal import Synchronization

/// What other threads tell a hart. The hart looks at `attention` between blocks, and at the rest only when it is set.
struct HartSignals: ~Copyable {
    /// Not 0: something below changed, or somebody wants the hart out of guest code.
    let attention = Atomic<UInt32>(0)
    /// Interrupt wires as bits of `mip`: MSIP, SEIP, MEIP.
    let lines = Atomic<UInt64>(0)
    /// The bits of `mip` that software sets and clears: SSIP, STIP, SEIP. SSIP is also set from outside.
    let software = Atomic<UInt64>(0)
    /// hgeip: bit n is the line of guest interrupt file n.
    let guestExternal = Atomic<UInt64>(0)
    /// The value of mtimecmp.
    let machineDeadline = Atomic<UInt64>(.max)
    /// A device that wakes the machine has something to say, whether or not its interrupt is enabled.
    let wakeLine = Atomic<Bool>(false)
    /// `run` is to return.
    let exitRequested = Atomic<Bool>(false)
    /// Fences that other harts asked for, counted, and those carried out.
    let fencesRequested = Atomic<UInt64>(0)
    let fencesDone = Atomic<UInt64>(0)
    /// The hart may be executing guest code, so that a fence has to wait for it.
    let inGuest = Atomic<Bool>(false)
    /// The hart sleeps, so that setting `attention` has to wake it.
    let sleeping = Atomic<Bool>(false)
}
