internal import Glibc
internal import HostSystem

/// Pieces of an image's tables in memory: at most so many, each by its offset in the file.
///
/// A set-associative cache: an offset's set has `ways` places, of which the one that was not used for longest is taken for another
/// page. The host gives memory only for places that were used.
struct MetadataPages: ~Copyable {
    /// A place of a page. Bits 0 are an empty place.
    private struct Place {
        /// The page's offset and 1.
        var tag: UInt64
        var lastUse: UInt32
        var isDirty: UInt32
    }

    private static let ways = 8

    let pageSize: Int
    private let setCount: Int
    private let pages: Mapping
    private let places: Mapping
    private var clock: UInt32 = 0
    /// Places of pages that differ from the file.
    private(set) var dirty: [Int] = []

    /// - Parameter capacity: the most bytes of pages; a power of two, at least 8 pages.
    init(_ geometry: Qcow2Geometry, capacity: Int) throws(DiskImageError) {
        let setCount = capacity / geometry.pageSize / Self.ways
        let pages = try Self.map(capacity)
        let places = try Self.map(setCount * Self.ways * MemoryLayout<Place>.stride)
        pageSize = geometry.pageSize
        self.setCount = setCount
        self.pages = pages
        self.places = places
    }

    private static func map(_ count: Int) throws(DiskImageError) -> Mapping {
        do {
            return try Mapping(count: count, flags: MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)
        } catch {
            throw .system(error)
        }
    }

    private func place(_ index: Int) -> UnsafeMutablePointer<Place> {
        // The mapping is aligned and as long as all places; any bits are a Place.
        places.address.assumingMemoryBound(to: Place.self) + index
    }

    private func set(of offset: UInt64) -> Range<Int> {
        let first = Int(offset / UInt64(pageSize) % UInt64(setCount)) * Self.ways
        return first..<first + Self.ways
    }

    /// The page at `offset` of the file, a multiple of the page size; nil when it is not here.
    mutating func find(_ offset: UInt64) -> Int? {
        for index in set(of: offset) where place(index).pointee.tag == offset + 1 {
            clock &+= 1
            place(index).pointee.lastUse = clock
            return index
        }
        return nil
    }

    /// Whether there is a place for a page that is not here.
    func hasRoom(for offset: UInt64) -> Bool { set(of: offset).contains { place($0).pointee.isDirty == 0 } }

    /// Takes a place for the page at `offset`, for the caller to fill: `hasRoom` says that there is one.
    mutating func insert(_ offset: UInt64) -> Int {
        var chosen: Int?
        for index in set(of: offset) where place(index).pointee.isDirty == 0 {
            let isEmpty = place(index).pointee.tag == 0
            let age = clock &- place(index).pointee.lastUse
            guard let other = chosen else {
                chosen = index
                if isEmpty { break }
                continue
            }
            if isEmpty || age > clock &- place(other).pointee.lastUse { chosen = index }
            if isEmpty { break }
        }
        guard let chosen else { preconditionFailure("the caller has asked for room") }
        clock &+= 1
        place(chosen).pointee = Place(tag: offset + 1, lastUse: clock, isDirty: 0)
        return chosen
    }

    /// Forgets pages of a range that is used for something else from now on, whatever their state.
    mutating func remove(_ range: Range<UInt64>) {
        for offset in stride(from: range.lowerBound, to: range.upperBound, by: pageSize) {
            for index in set(of: offset) where place(index).pointee.tag == offset + 1 {
                if place(index).pointee.isDirty != 0 { dirty.removeAll { $0 == index } }
                place(index).pointee = Place(tag: 0, lastUse: 0, isDirty: 0)
            }
        }
    }

    func offset(of index: Int) -> UInt64 { place(index).pointee.tag - 1 }

    func bytes(_ index: Int) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(start: pages.address + index * pageSize, count: pageSize)
    }

    mutating func markDirty(_ index: Int) {
        guard place(index).pointee.isDirty == 0 else { return }
        place(index).pointee.isDirty = 1
        dirty.append(index)
    }

    mutating func markClean(_ index: Int) {
        place(index).pointee.isDirty = 0
        dirty.removeAll { $0 == index }
    }

    /// Takes the dirty pages, in the order of the file. Those that cannot be written are marked again.
    mutating func takeDirty() -> [Int] {
        let taken = dirty.sorted { offset(of: $0) < offset(of: $1) }
        dirty = []
        for index in taken { place(index).pointee.isDirty = 0 }
        return taken
    }
}
