package import GuestMemory

/// A guest's physical address space: memory and the registers of devices.
///
/// The board attaches devices before vCPUs start. The layout does not change afterwards.
package final class AddressSpace: @unchecked Sendable {
    // @unchecked: `attach` is only called during composition, before any other thread has the object.

    /// A device and the guest-physical range of its registers.
    package struct Region: Sendable {
        package let base: UInt64
        package let size: UInt64
        package let device: any MemoryMappedDevice
    }

    package let memory: GuestMemory
    /// Kept until the end of this object, because translated code refers to it.
    private var deviceMemories: [(base: UInt64, memory: DeviceMemory)] = []
    /// Ascending by base.
    package private(set) var regions: [Region] = []

    package init(memory: GuestMemory) {
        self.memory = memory
    }

    /// Maps a device's registers at a guest-physical range. Regions must not overlap each other or memory (precondition).
    package func attach(_ device: any MemoryMappedDevice, base: UInt64, size: UInt64) {
        let overlapsRegion = regions.contains { base < $0.base + $0.size && $0.base < base + size }
        let overlapsMemory = memory.ranges.contains { base < $0.base + $0.size && $0.base < base + size }
        precondition(!overlapsRegion && !overlapsMemory, "\(device.name) overlaps another region")
        let index = regions.firstIndex { $0.base > base } ?? regions.endIndex
        regions.insert(Region(base: base, size: size, device: device), at: index)
        if let memory = device.deviceMemory {
            precondition(memory.size <= size, "\(device.name) has room for its memory")
            deviceMemories.append((base, memory))
        }
    }

    /// The host address of `count` bytes of a device's memory that can be fetched; nil for registers and holes.
    package func fetchable(at address: UInt64, count: UInt64) -> UnsafeRawPointer? {
        deviceBytes(at: address, count: count)?.bytes
    }

    /// The same for a load, which a device may answer from its registers at present. The result holds for one load.
    package func loadable(at address: UInt64, count: UInt64) -> UnsafeRawPointer? {
        guard let (bytes, memory) = deviceBytes(at: address, count: count), memory.isReadable else { return nil }
        return bytes
    }

    private func deviceBytes(at address: UInt64, count: UInt64) -> (bytes: UnsafeRawPointer, memory: DeviceMemory)? {
        for (base, memory) in deviceMemories where address >= base {
            let offset = address - base
            guard offset < memory.size, count <= memory.size - offset else { continue }
            return (UnsafeRawPointer(memory.bytes.baseAddress! + Int(offset)), memory)
        }
        return nil
    }

    /// Releases all devices at the end of a machine. They hold vCPUs, which hold this object.
    package func detachAll() { regions.removeAll() }

    /// The region that contains all `size` bytes at `address`; nil when there is none.
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

    /// Reads 1, 2, 4 or 8 bytes from a device; nil when there is no device.
    package func readDevice(at address: UInt64, size: Int) -> UInt64? {
        guard let region = region(at: address, size: size) else { return nil }
        return region.device.read(offset: address - region.base, size: size)
    }

    /// Writes 1, 2, 4 or 8 bytes to a device; false when there is no device.
    package func writeDevice(at address: UInt64, size: Int, value: UInt64) -> Bool {
        guard let region = region(at: address, size: size) else { return false }
        region.device.write(offset: address - region.base, size: size, value: value)
        return true
    }
}
