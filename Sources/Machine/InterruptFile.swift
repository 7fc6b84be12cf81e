/// An interrupt file of a hart's incoming MSI controller (Advanced Interrupt Architecture 1.0, chapter 3), as the hart's CSRs reach it.
///
/// Messages arrive from other threads at any time; each method is atomic.
package protocol InterruptFile: AnyObject, Sendable {
    /// Reads an indirectly accessed register, and stores `old & kept | set` in the same step, by the rules of the register (section 3.8).
    ///
    /// - Parameters:
    ///   - number: 0x70 to 0xFF. Odd numbers from 0x81 on do not exist, and are not asked for. Reserved registers read as zero.
    ///   - kept: the bits that stay; all for a read.
    ///   - set: the bits that become one; none for a read.
    func access(register number: Int, keeping kept: UInt64, setting set: UInt64) -> UInt64

    /// The value of `*topei` (section 3.9): the identity of the best interrupt that is pending and enabled in bits 26:16 and in bits 10:0, else
    /// 0. A claim clears its pending bit.
    func top(claims: Bool) -> UInt64
}
