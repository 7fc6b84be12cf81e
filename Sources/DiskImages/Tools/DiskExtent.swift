internal import HostSystem

/// Bytes of a disk whose contents come from one place.
package struct DiskExtent: Equatable, Sendable {
    package enum Contents: Sendable {
        case data
        case zero
    }

    /// In bytes of the disk.
    package let range: Range<UInt64>
    package let contents: Contents
    /// How many images lie above the one that has the contents.
    package let depth: Int
    /// Where the data begin in that image's file; nil for zeroes and for compressed data.
    package let offset: UInt64?

    package var count: UInt64 { range.upperBound - range.lowerBound }
}

extension DiskImage {
    /// The contents from `offset` on, below `limit`, which are of one kind.
    package func extent(at offset: UInt64, limit: UInt64, depth: Int = 0) throws(DiskImageError) -> DiskExtent {
        switch self {
        case let image as RawDiskImage: try image.rawExtent(at: offset, limit: limit, depth: depth)
        case let image as Qcow2DiskImage: try image.qcow2Extent(at: offset, limit: limit, depth: depth)
        default: DiskExtent(range: offset..<limit, contents: .data, depth: depth, offset: nil)
        }
    }

    /// All contents, in order; neighbours of one kind are one.
    package func extents() throws(DiskImageError) -> [DiskExtent] {
        var result: [DiskExtent] = []
        var position: UInt64 = 0
        while position < size {
            let next = try extent(at: position, limit: size)
            position = next.range.upperBound
            if let last = result.last, last.contents == next.contents, last.depth == next.depth,
                last.offset.map({ $0 + last.count }) == next.offset, next.offset != nil || next.contents == .zero
            {
                result[result.count - 1] = DiskExtent(
                    range: last.range.lowerBound..<position, contents: last.contents, depth: last.depth,
                    offset: last.offset)
            } else {
                result.append(next)
            }
        }
        return result
    }
}

extension RawDiskImage {
    fileprivate func rawExtent(at offset: UInt64, limit: UInt64, depth: Int) throws(DiskImageError) -> DiskExtent {
        let data: Range<UInt64>?
        do { data = try file.nextData(from: offset) } catch { throw .system(error) }
        guard let data, data.lowerBound < limit else {
            return DiskExtent(range: offset..<limit, contents: .zero, depth: depth, offset: nil)
        }
        if data.lowerBound > offset {
            return DiskExtent(range: offset..<data.lowerBound, contents: .zero, depth: depth, offset: nil)
        }
        return DiskExtent(
            range: offset..<min(data.upperBound, limit), contents: .data, depth: depth, offset: offset)
    }
}

extension Qcow2DiskImage {
    fileprivate func qcow2Extent(at offset: UInt64, limit: UInt64, depth: Int) throws(DiskImageError) -> DiskExtent {
        let part = try part(at: offset, limit: limit)
        switch part.content {
        case .zero: return DiskExtent(range: part.range, contents: .zero, depth: depth, offset: nil)
        case .data(let host):
            return DiskExtent(range: part.range, contents: .data, depth: depth, offset: host.offset)
        case .compressed: return DiskExtent(range: part.range, contents: .data, depth: depth, offset: nil)
        case .unallocated:
            let present = baseCount(at: offset, of: part.count)
            guard let base, present > 0 else {
                return DiskExtent(range: part.range, contents: .zero, depth: depth, offset: nil)
            }
            return try base.extent(at: offset, limit: offset + present, depth: depth + 1)
        }
    }
}
