/// The header of a qcow2 image (QEMU's docs/interop/qcow2, "Header"). Integers are big-endian.
///
///     offset  size  field                        offset  size  field
///          0     4  magic "QFI" 0xFB                 56     4  clusters of the refcount table
///          4     4  version                          60     4  number of snapshots
///          8     8  offset of the backing name       64     8  offset of the snapshot table
///         16     4  length of the backing name       version 3:
///         20     4  logarithm of cluster size        72     8  incompatible features
///         24     8  size of the disk                 80     8  compatible features
///         32     4  encryption                       88     8  autoclear features
///         36     4  L1 entries                       96     4  logarithm of refcount bits
///         40     8  offset of the L1 table          100     4  length of the header
///         48     8  offset of the refcount table    104     1  compression
///
/// Extensions follow, each with a type and a length of 32 bits and data padded to 8 bytes.
struct Qcow2Header: Equatable, Sendable {
    static let magic: UInt32 = 0x5146_49FB
    /// The header's lengths in bytes, by version.
    static let shortLength = 72
    static let longLength = 104
    /// With the field for the compression, and padding.
    static let fullLength = 112
    static let longestBackingName = 1023

    /// Offsets of fields that change while an image is open.
    enum Field {
        static let size = 24
        static let l1 = 36
        static let refcountTable = 48
        static let incompatible = 72
        static let autoclear = 88
    }

    enum Extension {
        static let end: UInt32 = 0
        static let backingFormat: UInt32 = 0xE279_2ACA
        static let featureNames: UInt32 = 0x6803_F857
        static let externalData: UInt32 = 0x4441_5441
    }

    enum Compression: UInt8, Sendable {
        /// A raw Deflate stream.
        case zlib = 0
        case zstd = 1
    }

    struct Backing: Equatable, Sendable {
        /// As it stands in the image: relative to the image's directory, or absolute.
        var name: String
        var format: String?
        var mark: BackingMark?
        /// Where the mark's data are in the header; nil without a mark.
        var markOffset: Int?
    }

    var version = 3
    var geometry = Qcow2Geometry(clusterBits: 16, refcountOrder: 4)
    /// The size of the disk, in bytes.
    var size: UInt64 = 0
    var l1Count = 0
    var l1Offset: UInt64 = 0
    var refcountTableOffset: UInt64 = 0
    var refcountTableClusters = 0
    var snapshotCount = 0
    var snapshotsOffset: UInt64 = 0
    var features = Qcow2Features()
    var compression = Compression.zlib
    var backing: Backing?

    /// Whether L2 entries can say that a cluster is zero.
    var hasZeroFlag: Bool { version >= 3 }

    /// The first cluster of a new image; `backingFits` holds.
    func encoded() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Int(geometry.clusterSize))
        bytes.storeBigEndian(Self.magic, at: 0)
        bytes.storeBigEndian(UInt32(version), at: 4)
        bytes.storeBigEndian(UInt32(geometry.clusterBits), at: 20)
        bytes.storeBigEndian(size, at: Field.size)
        bytes.storeBigEndian(UInt32(l1Count), at: Field.l1)
        bytes.storeBigEndian(l1Offset, at: Field.l1 + 4)
        bytes.storeBigEndian(refcountTableOffset, at: Field.refcountTable)
        bytes.storeBigEndian(UInt32(refcountTableClusters), at: Field.refcountTable + 8)
        var position = Self.shortLength
        if version >= 3 {
            bytes.storeBigEndian(features.incompatible, at: Field.incompatible)
            bytes.storeBigEndian(features.compatible, at: 80)
            bytes.storeBigEndian(features.autoclear, at: Field.autoclear)
            bytes.storeBigEndian(UInt32(geometry.refcountOrder), at: 96)
            position = Self.fullLength
            bytes.storeBigEndian(UInt32(position), at: 100)
            bytes[Self.longLength] = compression.rawValue
        }
        guard let backing else { return bytes }
        for (type, data) in extensions(of: backing) {
            bytes.storeBigEndian(type, at: position)
            bytes.storeBigEndian(UInt32(data.count), at: position + 4)
            bytes.replaceSubrange(position + 8..<position + 8 + data.count, with: data)
            position += 8 + (data.count + 7) / 8 * 8
        }
        // The end of the extensions is 8 bytes of zero.
        position += 8
        bytes.storeBigEndian(UInt64(position), at: 8)
        bytes.storeBigEndian(UInt32(backing.name.utf8.count), at: 16)
        bytes.replaceSubrange(position..<position + backing.name.utf8.count, with: backing.name.utf8)
        return bytes
    }

    private func extensions(of backing: Backing) -> [(UInt32, [UInt8])] {
        var result: [(UInt32, [UInt8])] = []
        if let format = backing.format { result.append((Extension.backingFormat, Array(format.utf8))) }
        if let mark = backing.mark { result.append((BackingMark.extensionType, mark.encoded)) }
        return result
    }

    /// Whether the first cluster has room for the backing file's name and what is said about the file.
    var backingFits: Bool {
        guard let backing else { return true }
        let said = extensions(of: backing).reduce(0) { $0 + 8 + ($1.1.count + 7) / 8 * 8 }
        return backing.name.utf8.count <= Self.longestBackingName
            && Self.fullLength + said + 8 + backing.name.utf8.count <= Int(geometry.clusterSize)
    }
}
