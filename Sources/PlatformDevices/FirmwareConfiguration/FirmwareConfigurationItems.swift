internal import SavedState

/// What a firmware configuration device offers: immutable items by key, with a directory of the named ones.
package struct FirmwareConfigurationItems: Sendable {
    /// Keys of named files count from here.
    private static let firstFileKey: UInt16 = 0x20
    private static let nameLimit = 55

    /// Numbered items of QEMU's machines.
    package enum Key {
        /// Processors at power-on, 16 bits.
        package static let processorCount: UInt16 = 0x05
    }

    private(set) var items: [UInt16: [UInt8]] = [:]

    /// - Parameters:
    ///   - numbered: items under keys of their own, below 0x20; signature, features and directory are added.
    ///   - files: names of 1 to 55 bytes of UTF-8 and their contents, at most 4 GiB each, at most 4096 of them.
    package init(numbered: [UInt16: [UInt8]] = [:], files: [(name: String, contents: [UInt8])] = []) {
        precondition(numbered.keys.allSatisfy { $0 < Self.firstFileKey }, "numbered items have keys below 0x20")
        precondition(files.count <= 4096, "a directory has up to 4096 files")
        items = numbered
        items[0x0000] = Array("QEMU".utf8)
        // Bit 0: the traditional interface; bit 1: DMA.
        items[0x0001] = [3, 0, 0, 0]
        // The directory: a count, then for each file size (32 bits), key (16), reserved (16) and name (56 bytes), all
        // big endian, ascending by name.
        var directory = Self.bigEndian(UInt32(files.count))
        for (index, file) in files.sorted(by: { $0.name < $1.name }).enumerated() {
            let name = Array(file.name.utf8)
            precondition((1...Self.nameLimit).contains(name.count), "file names have 1 to 55 bytes")
            let key = Self.firstFileKey + UInt16(index)
            directory += Self.bigEndian(UInt32(file.contents.count)) + Self.bigEndian(key) + [0, 0]
            directory += name + Array(repeating: 0, count: Self.nameLimit + 1 - name.count)
            items[key] = file.contents
        }
        items[0x0019] = directory
    }

    /// The item's byte at `index`; 0 after its end and for keys without item.
    func byte(_ key: UInt16, at index: UInt64) -> UInt8 {
        guard let item = items[key], index < UInt64(item.count) else { return 0 }
        return item[Int(index)]
    }

    /// Up to `count` bytes of an item from `index`.
    func bytes(_ key: UInt16, at index: UInt64, count: Int) -> ArraySlice<UInt8> {
        guard let item = items[key], index < UInt64(item.count) else { return [] }
        return item[Int(index)...].prefix(count)
    }

    /// Stands for all items in a saved state: a machine is restored with the same ones.
    var checksum: UInt32 {
        var checksum = CRC32C()
        for (key, item) in items.sorted(by: { $0.key < $1.key }) {
            checksum.update(Self.bigEndian(key) + Self.bigEndian(UInt64(item.count)))
            checksum.update(item)
        }
        return checksum.checksum
    }

    private static func bigEndian(_ value: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: value.bigEndian) { Array($0) }
    }
}
