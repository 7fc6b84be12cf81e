/// What a range of an x86 guest's physical addresses is (E820: ACPI 6.5, table 15.4).
package struct X86MemoryMapEntry: Equatable, Sendable {
    package enum Kind: UInt32, Sendable {
        case memory = 1
        case reserved = 2
    }

    package let base: UInt64
    package let size: UInt64
    package let kind: Kind

    package init(base: UInt64, size: UInt64, kind: Kind) {
        self.base = base
        self.size = size
        self.kind = kind
    }
}

/// Where an x86 guest's first megabyte has what it is started with. All of it is free for the guest once it has read it.
enum X86LowMemory {
    static let descriptorTable: UInt64 = 0x1000
    /// A page map of level 4, one of level 3, and four of level 2.
    static let pageTables: UInt64 = 0x2000
    /// The zero page of the 64-bit entry, or PVH's start info.
    static let parameters: UInt64 = 0x8000
    static let commandLine: UInt64 = 0x9000
    static let commandLineSize: UInt64 = 0x1000
    /// Here begins the memory of video cards and firmware.
    static let end: UInt64 = 0xA0000
    static let firmwareEnd: UInt64 = 0x10_0000
}
