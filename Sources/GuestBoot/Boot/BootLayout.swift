internal import GuestMemory

/// A range of guest memory that something was loaded to.
package struct BootPlacement: Equatable, Sendable {
    package let item: BootItem
    package let address: UInt64
    /// Bytes, more than 0.
    package let size: UInt64

    package init(item: BootItem, address: UInt64, size: UInt64) {
        self.item = item
        self.address = address
        self.size = size
    }
}

/// Where the parts of a guest go in its memory: none outside of it, none over another.
struct BootLayout {
    let memory: GuestMemory
    private(set) var placements: [BootPlacement] = []

    init(memory: GuestMemory) {
        self.memory = memory
    }

    /// Claims `size` bytes at `address`.
    mutating func place(_ item: BootItem, at address: UInt64, size: UInt64) throws(BootError) {
        guard memory.hostAddress(of: address, count: 1) != nil else {
            // A guest has some memory.
            let (first, last) = (memory.ranges[0], memory.ranges[memory.ranges.count - 1])
            throw .outsideMemory(item, address: address, memory: first.base..<last.base + last.size)
        }
        guard memory.hostAddress(of: address, count: size) != nil else {
            throw .doesNotFit(item, size: size, address: address, memory: memory.size)
        }
        if let other = overlap(address, size) {
            throw .overlaps(
                item, other: other.item == item ? "another part of it" : "\(other.item)",
                address: max(address, other.address))
        }
        placements.append(BootPlacement(item: item, address: address, size: size))
    }

    /// Claims `size` bytes as high as they fit in the first of `regions` that has room, at a multiple of `alignment`, a
    /// power of two.
    mutating func placeHigh(
        _ item: BootItem, size: UInt64, alignment: UInt64, in regions: [Range<UInt64>]
    ) throws(BootError) -> UInt64 {
        for region in regions {
            guard let address = highestGap(size, alignment: alignment, in: region) else { continue }
            try place(item, at: address, size: size)
            return address
        }
        throw .doesNotFit(item, size: size, address: nil, memory: memory.size)
    }

    private func highestGap(_ size: UInt64, alignment: UInt64, in region: Range<UInt64>) -> UInt64? {
        var top = region.upperBound
        while size > 0, top >= region.lowerBound, top - region.lowerBound >= size {
            let address = (top - size) & ~(alignment - 1)
            guard address >= region.lowerBound else { return nil }
            guard let other = overlap(address, size) else { return address }
            // Next, below what is in the way: it begins below `address + size`, so that the search goes down and ends.
            top = other.address
        }
        return nil
    }

    private func overlap(_ address: UInt64, _ size: UInt64) -> BootPlacement? {
        // Both ranges lie in memory, so that their ends do not overflow.
        placements.first { address < $0.address + $0.size && $0.address < address + size }
    }

    /// Copies from a file into guest memory.
    func copy(_ source: BootSource, offset: UInt64, count: UInt64, to address: UInt64) throws(BootError) {
        guard let start = memory.hostAddress(of: address, count: count) else {
            throw .doesNotFit(source.item, size: count, address: address, memory: memory.size)
        }
        // The buffer is used only here, while `memory` is alive; no vCPU runs yet.
        let target = UnsafeMutableRawBufferPointer(start: start, count: Int(count))
        try memory.fill(target) { (position, bytes) throws(BootError) in
            try source.read(at: offset + UInt64(position), into: bytes)
        }
    }

    /// Sets guest memory to zero; the end of the memory is a valid address for no bytes.
    func clear(_ item: BootItem, at address: UInt64, count: UInt64) throws(BootError) {
        guard count > 0 else { return }
        do throws(GuestMemoryError) {
            try memory.clear(at: address, count: count)
        } catch {
            throw .doesNotFit(item, size: count, address: address, memory: memory.size)
        }
    }

    /// Writes bytes that were placed.
    func write(_ item: BootItem, _ bytes: [UInt8], at address: UInt64) throws(BootError) {
        do throws(GuestMemoryError) {
            try memory.write(bytes, at: address)
        } catch {
            throw .doesNotFit(item, size: UInt64(bytes.count), address: address, memory: memory.size)
        }
    }
}
