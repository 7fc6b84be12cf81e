/// A guest's PLIC: 31 sources, all levels, and a supervisor context for each vCPU (RISC-V PLIC specification 1.0).
struct VirtualPLIC {
    static let address: UInt64 = 0x0c00_0000
    static let size: UInt64 = 0x60_0000
    static let contexts = 8

    private var priorities = InlineArray<32, UInt8>(repeating: 0)
    /// The wires of the devices.
    var levels: UInt32 = 0
    /// Sources between claim and completion.
    private var claimed: UInt32 = 0
    private var enables = InlineArray<8, UInt32>(repeating: 0)
    private var thresholds = InlineArray<8, UInt8>(repeating: 0)

    /// Whether the context has an interrupt to take. Mutating, as `best`, so that the compiler copies no controller at each exit.
    mutating func isPending(_ context: Int) -> Bool { ready(context) != 0 && best(context) != 0 }

    private func ready(_ context: Int) -> UInt32 { levels & ~claimed & enables[context] }

    /// The source that a claim gets: the highest priority above the threshold, the lowest number among equals.
    @inline(never)
    private mutating func best(_ context: Int) -> Int {
        var rest = ready(context)
        var best = 0
        var priority = thresholds[context]
        while rest != 0 {
            let source = rest.trailingZeroBitCount
            rest &= rest - 1
            if priorities[source] > priority { (best, priority) = (source, priorities[source]) }
        }
        return best
    }

    mutating func load(_ offset: UInt64) -> UInt32 {
        switch offset {
        case 0..<0x80: return UInt32(priorities[Int(offset / 4)])
        case 0x1000: return levels & ~claimed
        case 0x2000..<0x2400: return offset & 0x7f == 0 ? enables[Int(offset - 0x2000) / 0x80] : 0
        case 0x20_0000..<0x20_8000:
            let context = Int(offset - 0x20_0000) / 0x1000
            if offset & 0xfff == 0 { return UInt32(thresholds[context]) }
            guard offset & 0xfff == 4 else { return 0 }
            let source = best(context)
            if source != 0 { claimed |= 1 << UInt32(source) }
            return UInt32(source)
        default: return 0
        }
    }

    mutating func store(_ offset: UInt64, _ value: UInt32) {
        switch offset {
        case 4..<0x80: priorities[Int(offset / 4)] = UInt8(value & 7)
        case 0x2000..<0x2400: if offset & 0x7f == 0 { enables[Int(offset - 0x2000) / 0x80] = value & ~1 }
        case 0x20_0000..<0x20_8000:
            let context = Int(offset - 0x20_0000) / 0x1000
            if offset & 0xfff == 0 { thresholds[context] = UInt8(value & 7) }
            if offset & 0xfff == 4, value < 32 { claimed &= ~(1 << value) }
        default: break
        }
    }
}
