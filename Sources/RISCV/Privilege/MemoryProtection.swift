/// Physical memory protection: sixteen entries (Privileged Architecture 3.7).
struct MemoryProtection {
    static let count = 16

    /// pmpcfg bytes and pmpaddr registers, as software reads them.
    private(set) var configurations = InlineArray<16, UInt8>(repeating: 0)
    private(set) var addresses = InlineArray<16, UInt64>(repeating: 0)
    /// The entries as ranges, in order of priority; entries that are off are left out.
    private var regions: [Region] = []

    private struct Region {
        let start: UInt64
        /// First address after the region.
        let end: UInt64
        let configuration: UInt8
    }

    private enum Bit {
        static let read: UInt8 = 1
        static let write: UInt8 = 2
        static let execute: UInt8 = 4
        static let mode: UInt8 = 3 << 3
        static let lock: UInt8 = 1 << 7
    }

    /// What PMP says of a range: the permissions, and whether every access within the range gets the same answer.
    struct Verdict {
        let readable: Bool
        let writable: Bool
        let executable: Bool
        let uniform: Bool

        static let all = Verdict(readable: true, writable: true, executable: true, uniform: true)

        func allows(_ kind: AccessKind) -> Bool {
            switch kind {
            case .load: readable
            case .store: writable
            case .fetch: executable
            }
        }
    }

    /// Judges the bytes `address` up to `address + count`, which do not wrap, for an access at `privilege`.
    ///
    /// A range that an entry matches only in part fails, as 3.7.1 demands of an access; `uniform` is false then, since a
    /// smaller access may pass.
    func verdict(_ address: UInt64, count: UInt64, privilege: PrivilegeMode) -> Verdict {
        let end = address &+ count
        for region in regions where address < region.end && region.start < end {
            guard region.start <= address, end <= region.end else {
                return Verdict(readable: false, writable: false, executable: false, uniform: false)
            }
            let bits = region.configuration
            if privilege == .machine, bits & Bit.lock == 0 { return .all }
            return Verdict(
                readable: bits & Bit.read != 0, writable: bits & Bit.write != 0, executable: bits & Bit.execute != 0,
                uniform: true)
        }
        let open = privilege == .machine
        return Verdict(readable: open, writable: open, executable: open, uniform: true)
    }

    /// Writes one pmpcfg byte: locked entries keep their value, and R=0 W=1 is reserved and becomes R=0 W=0.
    mutating func setConfiguration(_ index: Int, _ value: UInt8) {
        guard configurations[index] & Bit.lock == 0 else { return }
        var legal = value & (Bit.read | Bit.write | Bit.execute | Bit.mode | Bit.lock)
        if legal & (Bit.read | Bit.write) == Bit.write { legal &= ~Bit.write }
        configurations[index] = legal
        updateRegions()
    }

    /// Writes pmpaddr: bits 53:0, unless the entry is locked or is the bottom of a locked top-of-range entry.
    mutating func setAddress(_ index: Int, _ value: UInt64) {
        guard configurations[index] & Bit.lock == 0 else { return }
        if index + 1 < Self.count {
            let above = configurations[index + 1]
            if above & Bit.lock != 0, above & Bit.mode == 1 << 3 { return }
        }
        addresses[index] = value & (1 << 54 - 1)
        updateRegions()
    }

    /// One entry that opens all memory to every mode, as firmware leaves it to a supervisor.
    mutating func openEverything() {
        self = MemoryProtection()
        setAddress(0, .max)
        setConfiguration(0, Bit.read | Bit.write | Bit.execute | 3 << 3)
    }

    /// Takes over saved registers as they were, locks included.
    mutating func restore(configurations: [UInt64], addresses: [UInt64]) {
        for index in 0..<Self.count {
            self.configurations[index] = UInt8(truncatingIfNeeded: configurations[index])
            self.addresses[index] = addresses[index] & (1 << 54 - 1)
        }
        updateRegions()
    }

    private mutating func updateRegions() {
        regions.removeAll(keepingCapacity: true)
        for index in 0..<Self.count {
            let configuration = configurations[index]
            let address = addresses[index]
            let start: UInt64
            let end: UInt64
            switch configuration >> 3 & 3 {
            case 1:
                start = index == 0 ? 0 : addresses[index - 1] << 2
                end = address << 2
            case 2:
                start = address << 2
                end = start + 4
            case 3:
                // Trailing ones give the size: 0 of them 8 bytes, each one more doubles it.
                let size: UInt64 = 8 << UInt64((~address).trailingZeroBitCount)
                start = size >= 1 << 57 ? 0 : address << 2 & ~(size - 1)
                end = size >= 1 << 57 ? 1 << 57 : start + size
            default: continue
            }
            if start < end { regions.append(Region(start: start, end: end, configuration: configuration)) }
        }
    }
}
