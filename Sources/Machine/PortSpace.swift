/// The I/O ports of an x86 machine: 65536 addresses apart from memory, behind which devices have registers.
///
/// It is put together before vCPUs start and does not change while they run.
package final class PortSpace: @unchecked Sendable {
    // @unchecked: `attach` is only called during composition, before any other thread has the object.

    private struct Region {
        let ports: ClosedRange<UInt16>
        let device: any MemoryMappedDevice
        let offset: UInt64
    }

    private var regions: [Region] = []

    package init() {}

    /// Places a device's registers, from `offset` of them on, at `ports`. Ranges must not overlap: that is a mistake of the
    /// board.
    package func attach(_ device: any MemoryMappedDevice, ports: ClosedRange<UInt16>, offset: UInt64 = 0) {
        precondition(!regions.contains { $0.ports.overlaps(ports) }, "\(device.name) overlaps another device")
        regions.append(Region(ports: ports, device: device, offset: offset))
    }

    /// Lets go of all devices: the end of a machine.
    package func detachAll() { regions.removeAll() }

    /// Reads 1, 2 or 4 bytes; all ones where nothing answers.
    package func read(_ port: UInt16, size: Int) -> UInt64 {
        guard let region = region(port, size) else { return UInt64.max >> UInt64(64 - 8 * size) }
        return region.device.read(offset: region.offset + UInt64(port - region.ports.lowerBound), size: size)
    }

    /// Writes 1, 2 or 4 bytes; lost where nothing answers.
    package func write(_ port: UInt16, size: Int, value: UInt64) {
        guard let region = region(port, size) else { return }
        region.device.write(
            offset: region.offset + UInt64(port - region.ports.lowerBound), size: size, value: value)
    }

    /// The region that has all of the bytes. A board has a handful, so that a search is quick.
    private func region(_ port: UInt16, _ size: Int) -> Region? {
        regions.first { $0.ports.contains(port) && Int(port) + size - 1 <= Int($0.ports.upperBound) }
    }
}
