import Support

/// The table of guests behind the hypervisor in its image, as scripts/hypervisor-image packs it. All numbers are little endian;
/// offsets count from the table's start.
///
///     0   magic "AERIEGST"      16  mode: 0 scheduled, 1 partitioned
///     8   version, 1            20  0
///     12  number of entries     24  bytes of the table with all that follows
///     64  entries of 512 bytes
struct GuestTable {
    static let most = 16
    let base: UInt64
    let count: Int
    let isPartitioned: Bool
    let size: UInt64

    /// nil: no table follows the image.
    init?(at base: UInt64) {
        let words: UnsafeMutablePointer<UInt64> = pointer(base)
        let halves: UnsafeMutablePointer<UInt32> = pointer(base)
        guard words[0] == 0x5453_4745_4952_4541, halves[2] == 1, halves[3] <= UInt32(Self.most) else { return nil }
        self.base = base
        count = Int(halves[3])
        isPartitioned = halves[4] == 1
        size = words[3]
    }

    /// Whether a guest has a network card; whether one has any device of the board's.
    var hasNetworks: Bool { has { $0.hasNetwork } }
    var hasDevices: Bool { has { $0.hasNetwork || $0.disk != nil } }

    private func has(_ isWanted: (GuestEntry) -> Bool) -> Bool {
        for index in 0..<count where isWanted(entry(index)) { return true }
        return false
    }

    func entry(_ index: Int) -> GuestEntry { GuestEntry(base: base, address: base + 64 + UInt64(index) * 512) }
}

/// One entry:
///
///     0    name, 32 bytes with its zero     328  bytes of memory       352  flags: 1 starts at boot, 2 has a network card,
///     32   command line, 256 bytes          336  mask of harts              4 its disk is read-only, 8 has a PLIC
///     288  kernel: offset, size             344  vCPUs                 356  number of the board's disk + 1, 0: none
///     304  RAM disk: offset, size           348  weight                360  first sector
///     320  cap in percent of a hart, 0: none                           368  sectors, 0: to the end
struct GuestEntry {
    let base: UInt64
    let address: UInt64

    var name: UnsafeMutablePointer<UInt8> { pointer(address) }
    var commandLine: UnsafeMutablePointer<UInt8> { pointer(address + 32) }
    var kernel: (address: UInt64, size: UInt64) { (base + word(288), word(296)) }
    var ramDisk: (address: UInt64, size: UInt64) { (base + word(304), word(312)) }
    var cap: UInt64 { word(320) }
    var memory: UInt64 { word(328) }
    var harts: UInt64 { word(336) }
    var vcpus: Int { Int(min(max(word(344) & 0xffff_ffff, 1), 8)) }
    var weight: UInt64 { max(word(344) >> 32, 1) }
    var startsAtBoot: Bool { word(352) & 1 != 0 }
    var hasNetwork: Bool { word(352) & 2 != 0 }
    /// It has a PLIC even where its vCPUs could have interrupt files.
    var hasPLIC: Bool { word(352) & 8 != 0 }
    var disk: VirtualDisk.Range? {
        let number = word(352) >> 32
        guard number > 0 else { return nil }
        return VirtualDisk.Range(
            device: Int(number) - 1, first: word(360), sectors: word(368), isReadOnly: word(352) & 4 != 0)
    }

    private func word(_ offset: UInt64) -> UInt64 { pointer(address + offset).pointee }
}
