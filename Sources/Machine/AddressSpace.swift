package import GuestMemory

/// A guest's physical address space: memory, and the registers of devices.
///
/// It is put together before vCPUs start and does not change while they run.
package final class AddressSpace: @unchecked Sendable {
    // @unchecked: `attach` is only called during composition, before any other thread has the object.

    /// A device and the guest-physical range of its registers.
    package struct Region: Sendable {
        package let base: UInt64
        package let size: UInt64
        package let device: any MemoryMappedDevice
    }

    package let memory: GuestMemory
    /// Ascending by base.
    package private(set) var regions: [Region] = []

    package init(memory: GuestMemory) {
        self.memory = memory
    }

    /// Places a device's registers. Regions must not overlap each other or memory: that is a mistake of the board.
    package func attach(_ device: any MemoryMappedDevice, base: UInt64, size: UInt64) {
        let overlapsRegion = regions.contains { base < $0.base + $0.size && $0.base < base + size }
        let overlapsMemory = memory.ranges.contains { base < $0.base + $0.size && $0.base < base + size }
        precondition(!overlapsRegion && !overlapsMemory, "\(device.name) overlaps another region")
        let index = regions.firstIndex { $0.base > base } ?? regions.endIndex
        regions.insert(Region(base: base, size: size, device: device), at: index)
    }

    /// Lets go of all devices, which hold processors that hold this object: the end of a machine.
    package func detachAll() { regions.removeAll() }

    /// The region that holds all of `size` bytes at `address`, or nil.
    package func region(at address: UInt64, size: Int) -> Region? {
        var low = 0
        var high = regions.count
        while low < high {
            let middle = (low + high) / 2
            if regions[middle].base <= address { low = middle + 1 } else { high = middle }
        }
        guard low > 0 else { return nil }
        let region = regions[low - 1]
        let offset = address - region.base
        return offset < region.size && UInt64(size) <= region.size - offset ? region : nil
    }

    /// A device read of 1, 2, 4 or 8 bytes; nil when nothing answers there.
    package func readDevice(at address: UInt64, size: Int) -> UInt64? {
        guard let region = region(at: address, size: size) else { return nil }
        return region.device.read(offset: address - region.base, size: size)
    }

    /// A device write of 1, 2, 4 or 8 bytes; false when nothing answers there.
    package func writeDevice(at address: UInt64, size: Int, value: UInt64) -> Bool {
        guard let region = region(at: address, size: size) else { return false }
        region.device.write(offset: address - region.base, size: size, value: value)
        return true
    }
}
