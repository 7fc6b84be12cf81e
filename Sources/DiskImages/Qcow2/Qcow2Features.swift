/// The feature bits of a qcow2 image of version 3.
struct Qcow2Features: Equatable, Sendable {
    /// Reference counts may be wrong.
    static let dirty: UInt64 = 1 << 0
    /// Any structure may be wrong.
    static let corrupt: UInt64 = 1 << 1
    static let externalData: UInt64 = 1 << 2
    static let compressionType: UInt64 = 1 << 3
    static let extendedL2: UInt64 = 1 << 4
    static let knownIncompatible = dirty | corrupt | externalData | compressionType | extendedL2
    /// Among the compatible features: reference counts may be written late.
    static let lazyRefcounts: UInt64 = 1 << 0
    /// Among the autoclear features: the bitmaps match the contents.
    static let bitmaps: UInt64 = 1 << 0

    var incompatible: UInt64 = 0
    var compatible: UInt64 = 0
    var autoclear: UInt64 = 0

    var isDirty: Bool { incompatible & Self.dirty != 0 }
    var isCorrupt: Bool { incompatible & Self.corrupt != 0 }
    var hasBitmaps: Bool { autoclear & Self.bitmaps != 0 }
}
