/// Reads a qcow2 header from an image that anybody may have made. Every number is checked before its use.
struct Qcow2HeaderParser {
    let path: String
    /// The size of the file in bytes.
    let fileSize: UInt64
    /// The file's beginning: at most a cluster.
    let bytes: [UInt8]

    private var header = Qcow2Header()
    // By bit: the names of incompatible features that the image gives.
    private var featureNames: [UInt8: String] = [:]
    private var externalDataName: String?

    init(path: String, fileSize: UInt64, bytes: [UInt8]) {
        self.path = path
        self.fileSize = fileSize
        self.bytes = bytes
    }

    private func damaged(_ found: String) -> DiskImageError { .damaged(path: path, found: found) }

    private func unsupported(_ found: String, _ advice: String) -> DiskImageError {
        .unsupported(path: path, found: found, advice: advice)
    }

    mutating func parse() throws(DiskImageError) -> Qcow2Header {
        guard bytes.count >= 4, bytes.bigEndian(at: 0) == Qcow2Header.magic else {
            throw unsupported("the file is not a qcow2 image", "give its format, or another file")
        }
        guard bytes.count >= Qcow2Header.shortLength else { throw damaged("the file ends within the header") }
        let version: UInt32 = bytes.bigEndian(at: 4)
        guard version == 2 || version == 3 else {
            throw unsupported("version \(version) of qcow2", "use version 2 or 3")
        }
        header.version = Int(version)
        let length = try parseLength()
        try parseExtensions(from: length)
        try checkFeatures()
        try parseSize()
        try parseTables()
        return header
    }

    /// Reads the geometry, the features, and the length of the header.
    private mutating func parseLength() throws(DiskImageError) -> Int {
        let clusterBits: UInt32 = bytes.bigEndian(at: 20)
        guard clusterBits <= 63, Qcow2Geometry.clusterBitsRange.contains(Int(clusterBits)) else {
            throw unsupported("clusters of 2^\(clusterBits) bytes", "use clusters of 512 bytes to 2 MiB")
        }
        var refcountOrder: UInt32 = 4
        var length = UInt32(Qcow2Header.shortLength)
        if header.version == 3 {
            guard bytes.count >= Qcow2Header.longLength else { throw damaged("the file ends within the header") }
            header.features = Qcow2Features(
                incompatible: bytes.bigEndian(at: Qcow2Header.Field.incompatible), compatible: bytes.bigEndian(at: 80),
                autoclear: bytes.bigEndian(at: Qcow2Header.Field.autoclear))
            refcountOrder = bytes.bigEndian(at: 96)
            length = bytes.bigEndian(at: 100)
        }
        guard refcountOrder <= 6 else { throw damaged("reference counts of 2^\(refcountOrder) bits") }
        header.geometry = Qcow2Geometry(clusterBits: Int(clusterBits), refcountOrder: Int(refcountOrder))
        let least = header.version == 3 ? Qcow2Header.longLength : Qcow2Header.shortLength
        guard length >= least, length % 8 == 0, UInt64(length) <= header.geometry.clusterSize, length <= bytes.count
        else {
            throw damaged("a header of \(length) bytes")
        }
        if length > Qcow2Header.longLength {
            guard let known = Qcow2Header.Compression(rawValue: bytes[Qcow2Header.longLength]) else {
                throw unsupported("compression \(bytes[Qcow2Header.longLength])", "use zlib or zstd")
            }
            header.compression = known
        }
        guard (header.compression == .zlib) == (header.features.incompatible & Qcow2Features.compressionType == 0)
        else {
            throw damaged("the compression and its feature bit contradict each other")
        }
        return Int(length)
    }

    // MARK: Extensions

    private mutating func parseExtensions(from start: Int) throws(DiskImageError) {
        let nameOffset: UInt64 = bytes.bigEndian(at: 8)
        let nameLength: UInt32 = bytes.bigEndian(at: 16)
        let area = min(header.geometry.clusterSize, UInt64(bytes.count))
        var end = Int(area)
        if nameOffset != 0 {
            guard nameLength <= Qcow2Header.longestBackingName else {
                throw damaged("the backing file's name has \(nameLength) bytes")
            }
            guard nameOffset >= start, nameOffset <= area, UInt64(nameLength) <= area - nameOffset else {
                throw damaged("the backing file's name is not in the first cluster")
            }
            end = Int(nameOffset)
            let name = try text(bytes[end..<end + Int(nameLength)], "the backing file's name")
            header.backing = Qcow2Header.Backing(name: name, format: nil)
        }
        var position = start
        while end - position >= 8 {
            let type: UInt32 = bytes.bigEndian(at: position)
            let length: UInt32 = bytes.bigEndian(at: position + 4)
            if type == Qcow2Header.Extension.end { break }
            guard Int(length) <= end - position - 8 else { throw damaged("a header extension of \(length) bytes") }
            let data = bytes[position + 8..<position + 8 + Int(length)]
            try parse(extension: type, data)
            position += 8 + (Int(length) + 7) / 8 * 8
        }
    }

    private mutating func parse(extension type: UInt32, _ data: ArraySlice<UInt8>) throws(DiskImageError) {
        switch type {
        case Qcow2Header.Extension.backingFormat:
            let format = try text(data, "the backing file's format")
            header.backing?.format = format
        case BackingMark.extensionType:
            header.backing?.mark = BackingMark(data)
            header.backing?.markOffset = data.startIndex
        case Qcow2Header.Extension.externalData: externalDataName = try text(data, "the external data file's name")
        case Qcow2Header.Extension.featureNames:
            // 48 bytes each: type (0 is incompatible), bit, name padded with zeroes.
            for start in stride(from: data.startIndex, to: data.endIndex - 47, by: 48) where data[start] == 0 {
                let name = data[start + 2..<start + 48].prefix { $0 != 0 }
                // The name goes into a message.
                guard !name.isEmpty, name.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) else { continue }
                featureNames[data[start + 1]] = String(decoding: name, as: UTF8.self)
            }
        default: break
        }
    }

    private func text(_ bytes: ArraySlice<UInt8>, _ name: String) throws(DiskImageError) -> String {
        guard !bytes.isEmpty, bytes.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }),
            let text = String(validating: bytes, as: UTF8.self)
        else { throw damaged("\(name) is not text") }
        return text
    }

    private func checkFeatures() throws(DiskImageError) {
        let bits = header.features.incompatible
        let unknown = bits & ~Qcow2Features.knownIncompatible
        guard unknown == 0 else {
            let names = (UInt8(0)..<64).filter { unknown >> UInt64($0) & 1 == 1 }
                .map { featureNames[$0].map { "'\($0)'" } ?? "bit \($0)" }
            throw unsupported(
                "the image needs the unknown feature \(names.joined(separator: ", "))",
                "convert it with the program that made it")
        }
        if bits & Qcow2Features.externalData != 0 {
            let name = externalDataName.map { " '\($0)'" } ?? ""
            throw unsupported(
                "the data are in an external data file\(name)", "convert the image with 'qemu-img convert'")
        }
        if bits & Qcow2Features.extendedL2 != 0 {
            throw unsupported("the image has extended L2 entries", "convert it with 'qemu-img convert'")
        }
        let encryption: UInt32 = bytes.bigEndian(at: 32)
        guard encryption == 0 else {
            let name = encryption == 1 ? "AES" : encryption == 2 ? "LUKS" : "method \(encryption)"
            throw unsupported("the image is encrypted (\(name))", "convert it with 'qemu-img convert'")
        }
    }

    // MARK: Tables

    private mutating func parseSize() throws(DiskImageError) {
        header.size = bytes.bigEndian(at: Qcow2Header.Field.size)
        guard header.size > 0 else { throw .empty(path: path) }
        guard header.size <= UInt64(Int64.max) - header.geometry.l2Coverage else {
            throw damaged("a disk of \(header.size) bytes")
        }
        guard header.size % sectorSize == 0 else {
            throw unsupported("a disk of \(header.size) bytes, not whole sectors", "resize it with 'qemu-img resize'")
        }
    }

    private mutating func parseTables() throws(DiskImageError) {
        let geometry = header.geometry
        let l1Count: UInt32 = bytes.bigEndian(at: Qcow2Header.Field.l1)
        header.l1Offset = bytes.bigEndian(at: Qcow2Header.Field.l1 + 4)
        let l1Length = UInt64(l1Count) * 8
        guard l1Length <= Qcow2Geometry.longestL1Table else { throw damaged("an L1 table of \(l1Count) entries") }
        guard l1Count >= geometry.l1Count(for: header.size) else {
            throw damaged("an L1 table of \(l1Count) entries for a disk of \(header.size) bytes")
        }
        header.l1Count = Int(l1Count)
        try checkPlace("L1 table", header.l1Offset, l1Length)

        header.refcountTableOffset = bytes.bigEndian(at: Qcow2Header.Field.refcountTable)
        let clusters: UInt32 = bytes.bigEndian(at: Qcow2Header.Field.refcountTable + 8)
        let length = UInt64(clusters) << UInt64(geometry.clusterBits)
        guard clusters > 0, length <= Qcow2Geometry.longestRefcountTable else {
            throw damaged("a refcount table of \(clusters) clusters")
        }
        header.refcountTableClusters = Int(clusters)
        try checkPlace("refcount table", header.refcountTableOffset, length)
        guard
            header.l1Offset >= header.refcountTableOffset + length
                || header.refcountTableOffset >= header.l1Offset + l1Length
        else { throw damaged("the L1 table and the refcount table overlap") }

        let snapshots: UInt32 = bytes.bigEndian(at: 60)
        header.snapshotsOffset = bytes.bigEndian(at: 64)
        guard snapshots <= 65536 else { throw damaged("\(snapshots) snapshots") }
        header.snapshotCount = Int(snapshots)
        if snapshots > 0 { try checkPlace("snapshot table", header.snapshotsOffset, 1) }
    }

    /// Checks that a table is behind the header, aligned, and in the file.
    private func checkPlace(_ name: String, _ offset: UInt64, _ count: UInt64) throws(DiskImageError) {
        guard header.geometry.isAligned(offset), offset > 0 else {
            throw damaged("the \(name) is at offset \(offset), not at a cluster's start")
        }
        guard offset <= fileSize, count <= fileSize - offset else {
            throw damaged("the \(name) is beyond the end of the file")
        }
    }
}
