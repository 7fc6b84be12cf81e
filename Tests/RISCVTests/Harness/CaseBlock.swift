/// One case of `driver.S`: a whole register state to start from, and where the state afterwards is found.
///
/// A block is `size` bytes; its second page is memory that belongs to the case, for loads and stores.
struct CaseBlock {
    static let size = 0x2000
    static let scratch = 0x1000

    struct Trap: Equatable {
        var cause: UInt64
        var epc: UInt64
        var tval: UInt64
    }

    /// How a case came to its end.
    enum End: UInt64 {
        case unreached = 0
        case finished = 1
        /// More traps than the limit.
        case overrun = 2
        /// An instruction fetch failed.
        case lost = 3
    }

    private(set) var bytes: [UInt8]

    init(count: Int = CaseBlock.size) {
        bytes = [UInt8](repeating: 0, count: count)
        trapLimit = 16
    }

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    subscript(word offset: Int) -> UInt64 {
        get { (0..<8).reduce(0) { $0 | UInt64(bytes[offset + $1]) << (8 * UInt64($1)) } }
        set { for byte in 0..<8 { bytes[offset + byte] = UInt8(truncatingIfNeeded: newValue >> (8 * UInt64(byte))) } }
    }

    subscript(byte offset: Int) -> UInt8 {
        get { bytes[offset] }
        set { bytes[offset] = newValue }
    }

    // What a case starts from.
    var startPC: UInt64 {
        get { self[word: 0] }
        set { self[word: 0] = newValue }
    }
    var fcsr: UInt64 {
        get { self[word: 0x200] }
        set { self[word: 0x200] = newValue }
    }
    var mstatus: UInt64 {
        get { self[word: 0x208] }
        set { self[word: 0x208] = newValue }
    }
    var endPC: UInt64 {
        get { self[word: 0x210] }
        set { self[word: 0x210] = newValue }
    }
    var satp: UInt64 {
        get { self[word: 0x218] }
        set { self[word: 0x218] = newValue }
    }
    /// Not 0: `satp` is a guest's (vsatp), and this its hypervisor's.
    var hgatp: UInt64 {
        get { self[word: 0x238] }
        set { self[word: 0x238] = newValue }
    }
    var trapLimit: UInt64 {
        get { self[word: 0x220] }
        set { self[word: 0x220] = newValue }
    }

    mutating func setX(_ number: Int, _ value: UInt64) { self[word: 8 * number] = value }
    mutating func setF(_ number: Int, _ value: UInt64) { self[word: 0x100 + 8 * number] = value }
    func inputX(_ number: Int) -> UInt64 { number == 0 ? 0 : self[word: 8 * number] }
    func inputF(_ number: Int) -> UInt64 { self[word: 0x100 + 8 * number] }

    // What it leaves.
    var end: End { End(rawValue: self[word: 0x250]) ?? .unreached }
    var outputFCSR: UInt64 { self[word: 0x240] }
    var outputMstatus: UInt64 { self[word: 0x248] }
    func outputX(_ number: Int) -> UInt64 { number == 0 ? 0 : self[word: 0x300 + 8 * number] }
    func outputF(_ number: Int) -> UInt64 { self[word: 0x400 + 8 * number] }
    var traps: [Trap] {
        (0..<Int(min(self[word: 0x228], trapLimit))).map { index in
            let entry = 0x500 + 32 * index
            return Trap(cause: self[word: entry], epc: self[word: entry + 8], tval: self[word: entry + 16])
        }
    }
}
