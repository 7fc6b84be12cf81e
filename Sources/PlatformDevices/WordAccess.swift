/// How devices made of 32-bit registers answer the other accesses that a bus allows.
///
/// Aligned 4-byte accesses reach one register, and 8-byte accesses two, the lower first. All others read 0 and write
/// nothing, as an access that the device does not support.
enum WordAccess {
    static func read(offset: UInt64, size: Int, _ register: (UInt64) -> UInt32) -> UInt64 {
        guard offset % 4 == 0 else { return 0 }
        switch size {
        case 4: return UInt64(register(offset))
        case 8:
            let low = UInt64(register(offset))
            return low | UInt64(register(offset &+ 4)) << 32
        default: return 0
        }
    }

    static func write(offset: UInt64, size: Int, value: UInt64, _ register: (UInt64, UInt32) -> Void) {
        guard offset % 4 == 0, size == 4 || size == 8 else { return }
        register(offset, UInt32(truncatingIfNeeded: value))
        if size == 8 { register(offset &+ 4, UInt32(truncatingIfNeeded: value >> 32)) }
    }
}
