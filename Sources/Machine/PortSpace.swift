/// The I/O port space of an x86 machine: 65536 addresses of device registers, separate from memory.
///
/// The board attaches devices before vCPUs start. The layout does not change afterwards.
package final class PortSpace: @unchecked Sendable {
    // @unchecked: `attach` is only called during composition, before any other thread has the object.

    private struct Region {
        let ports: ClosedRange<UInt16>
        let device: any MemoryMappedDevice
        let offset: UInt64
    }

    private var regions: [Region] = []

    package init() {}

    /// Maps a device's registers, beginning with the one at `offset`, at `ports`. Ranges must not overlap (precondition).
    package func attach(_ device: any MemoryMappedDevice, ports: ClosedRange<UInt16>, offset: UInt64 = 0) {
        precondition(!regions.contains { $0.ports.overlaps(ports) }, "\(device.name) overlaps another device")
        regions.append(Region(ports: ports, device: device, offset: offset))
    }

    /// Releases all devices at the end of a machine.
    package func detachAll() { regions.removeAll() }

    /// Reads 1, 2 or 4 bytes. Without a device, the result is all ones.
    package func read(_ port: UInt16, size: Int) -> UInt64 {
        guard let region = region(port, size) else { return UInt64.max >> UInt64(64 - 8 * size) }
        return region.device.read(offset: region.offset + UInt64(port - region.ports.lowerBound), size: size)
    }

    /// Writes 1, 2 or 4 bytes. Without a device, the write is lost.
    package func write(_ port: UInt16, size: Int, value: UInt64) {
        guard let region = region(port, size) else { return }
        region.device.write(
            offset: region.offset + UInt64(port - region.ports.lowerBound), size: size, value: value)
    }

    /// The region that contains all the bytes. A board has few regions, so a linear search is fast.
    private func region(_ port: UInt16, _ size: Int) -> Region? {
        regions.first { $0.ports.contains(port) && Int(port) + size - 1 <= Int($0.ports.upperBound) }
    }
}
