/// In which halves of the address space a cache of 4 KiB translations has parts of larger pages: a fence for one address
/// there must forget more than that page.
struct LargePages {
    private var low = false
    private var high = false

    mutating func note(_ address: UInt64) {
        if address >> 63 == 0 { low = true } else { high = true }
    }

    func mayHold(_ address: UInt64) -> Bool { address >> 63 == 0 ? low : high }
}
