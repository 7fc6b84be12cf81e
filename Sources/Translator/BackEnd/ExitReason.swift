/// Why generated code returned. The address of the next instruction is in `StateLayout.programCounter`, except for `helper`.
package enum ExitReason: UInt64, Sendable {
    /// A jump to code that is not known here.
    case jump = 0
    /// The limit of retired instructions is reached.
    case limit = 1
    /// A slow path of a load or store has a fault to take at the address.
    case fault = 2
    /// The interpreter has to execute at least one instruction at the address.
    case interpret = 3
    /// A helper left the block; the code returned the helper's result.
    case helper = 4
    /// As `limit`, in a region.
    case regionLimit = 5
}
