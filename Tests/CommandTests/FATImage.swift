import Foundation

/// A disk image with a FAT16 file system, without partitions, for firmware that reads no other.
struct FATImage {
    private static let sector = 512
    private static let sectorsPerCluster = 16
    private static let rootEntries = 512
    /// Free, or the next cluster of a file; 0xFFFF ends one.
    private var table: [UInt16] = [0xFFF8, 0xFFFF]
    private var clusters = Data()
    private var root = Data()

    /// Adds a file to the root directory.
    ///
    /// - Parameter name: at most 8 letters and 3 more after a dot.
    mutating func add(_ name: String, _ contents: Data) {
        root += Self.entry(name, attributes: 0x20, first: store(contents), size: contents.count)
    }

    /// Adds a directory of the root directory with one of its own, which has one file.
    mutating func add(_ name: String, in directory: String, below parent: String, _ contents: Data) {
        // Where a directory and its parent are is known before they are complete.
        let file = Self.entry(name, attributes: 0x20, first: store(contents), size: contents.count)
        let (inner, outer) = (table.count, table.count + 1)
        func names(_ own: Int, _ above: Int) -> Data {
            Self.entry(".", attributes: 0x10, first: own, size: 0)
                + Self.entry("..", attributes: 0x10, first: above, size: 0)
        }
        _ = store(names(inner, outer) + file)
        _ = store(names(outer, 0) + Self.entry(directory, attributes: 0x10, first: inner, size: 0))
        root += Self.entry(parent, attributes: 0x10, first: outer, size: 0)
    }

    /// - Returns: the first cluster.
    private mutating func store(_ contents: Data) -> Int {
        let size = Self.sector * Self.sectorsPerCluster
        let count = max(1, (contents.count + size - 1) / size)
        let first = table.count
        table += (1...count).map { $0 == count ? 0xFFFF : UInt16(first + $0) }
        clusters += contents + Data(count: count * size - contents.count)
        return first
    }

    private static func entry(_ name: String, attributes: UInt8, first: Int, size: Int) -> Data {
        let parts = name.hasPrefix(".") ? [name] : name.uppercased().split(separator: ".").map(String.init)
        func padded(_ text: String, _ count: Int) -> Data {
            Data(text.padding(toLength: count, withPad: " ", startingAt: 0).utf8)
        }
        // The first day that there is.
        return padded(parts[0], 8) + padded(parts.count > 1 ? parts[1] : "", 3)
            + Data([attributes, 0, 0, 0, 0, 0x21, 0, 0x21, 0, 0, 0, 0, 0, 0x21, 0]) + word(first)
            + word(size & 0xFFFF) + word(size >> 16)
    }

    private static func word(_ value: Int) -> Data { Data([UInt8(value & 0xFF), UInt8(value >> 8 & 0xFF)]) }

    /// The image, with 64 MB more than the files need.
    func data() -> Data {
        // FAT16 has 4085 to 65524 clusters.
        let clusterCount = min(65000, table.count + 8192)
        let tableSectors = (2 * (clusterCount + 2) + Self.sector - 1) / Self.sector
        let rootSectors = Self.rootEntries * 32 / Self.sector
        let total = 1 + 2 * tableSectors + rootSectors + clusterCount * Self.sectorsPerCluster
        var boot = Data([0xEB, 0x3C, 0x90])
        boot.append(Data("AERIE   ".utf8))
        boot.append(Self.word(Self.sector))
        boot.append(UInt8(Self.sectorsPerCluster))
        // One reserved sector, two tables.
        for part in [Self.word(1), Data([2]), Self.word(Self.rootEntries), Self.word(0), Data([0xF8])] {
            boot.append(part)
        }
        for value in [tableSectors, 63, 16, 0, 0, total & 0xFFFF, total >> 16] { boot.append(Self.word(value)) }
        boot.append(Data([0x80, 0, 0x29, 1, 2, 3, 4]))
        boot.append(Data("AERIE      FAT16   ".utf8))
        boot.append(Data(count: Self.sector - 2 - boot.count))
        boot.append(Data([0x55, 0xAA]))
        let entries = table.reduce(into: Data()) { $0 += Self.word(Int($1)) }
        let fat = entries + Data(count: tableSectors * Self.sector - entries.count)
        let directory = root + Data(count: rootSectors * Self.sector - root.count)
        let free = Data(count: (clusterCount - (table.count - 2)) * Self.sector * Self.sectorsPerCluster)
        return boot + fat + fat + directory + clusters + free
    }
}
