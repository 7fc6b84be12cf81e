internal import DiskImages
internal import HostSystem
internal import VirtioDevices

/// Changes to the devices of a machine that exists.
extension VirtualMachine {
    /// Makes a disk larger. The guest is told of the new size; its partitions and file systems stay as they are.
    ///
    /// - Parameters:
    ///   - index: of `Configuration.disks`.
    ///   - size: more than the present size, whole sectors of 512 bytes (4096 with `Disk.Cache.none`).
    /// - Throws: `usage` for another size, for a disk that is not a writable raw file, and after the machine's end; `inputOutput` when
    ///   the host cannot make the file larger.
    public func resizeDisk(_ index: Int, to size: ByteSize) throws(AerieError) {
        let asked = "resizing disk \(index) to \(size)"
        let disk = try disk(index, asked)
        try whileAlive(asked) { () throws(AerieError) in
            do throws(DiskImageError) {
                try disk.resize(to: size.bytes)
            } catch {
                if case .system(let cause) = error {
                    throw AerieError(.inputOutput, asked: asked, found: cause.reason, advice: cause.advice ?? "")
                }
                throw AerieError(.usage, asked: asked, found: error.description)
            }
            log.note(.info, "virtio\(index)", cause: "resized", "the disk has \(size.bytes) bytes now")
        }
    }

    /// Takes the link of a network card down, or lets it be up again as soon as its network is. While the link is down, all frames are
    /// lost.
    ///
    /// - Parameter index: of `Configuration.networkCards`.
    /// - Throws: `usage` for a card that is not there, and after the machine's end.
    public func setLink(ofCard index: Int, isUp: Bool) throws(AerieError) {
        let asked = "setting the link of network card \(index)"
        let card = try card(index, asked)
        try whileAlive(asked) { card.setLink(isUp: isUp) }
    }

    /// Changes the rate of a disk, from the next request on.
    ///
    /// - Parameters:
    ///   - index: of `Configuration.disks`.
    ///   - rate: a limit of nothing takes the present limits away.
    /// - Throws: `usage` for another rate, for a disk that is not there, and after the machine's end.
    public func setRate(ofDisk index: Int, _ rate: RateLimit) throws(AerieError) {
        let asked = "setting the rate of disk \(index)"
        let disk = try disk(index, asked)
        try setRate(rate, asked) { (rate) throws(SystemError) in try disk.setRate(rate) }
    }

    /// Changes the rate of a network card in each direction, from the next frame on.
    ///
    /// - Parameters:
    ///   - index: of `Configuration.networkCards`.
    ///   - rate: a limit of nothing takes the present limits away.
    /// - Throws: `usage` for another rate, for a card that is not there, and after the machine's end.
    public func setRate(ofCard index: Int, _ rate: RateLimit) throws(AerieError) {
        let asked = "setting the rate of network card \(index)"
        let card = try card(index, asked)
        try setRate(rate, asked) { (rate) throws(SystemError) in try card.setRate(rate) }
    }

    private func disk(_ index: Int, _ asked: String) throws(AerieError) -> BlockDevice {
        try Self.device(index, inventory.withLock { $0.disks.map(\.device) }, "disks", asked)
    }

    private func card(_ index: Int, _ asked: String) throws(AerieError) -> NetworkDevice {
        try Self.device(index, inventory.withLock { $0.networkCards.map(\.device) }, "network cards", asked)
    }

    /// - Parameter nouns: what the devices are, for an error.
    private static func device<Device>(
        _ index: Int, _ devices: [Device], _ nouns: String, _ asked: String
    ) throws(AerieError) -> Device {
        guard devices.indices.contains(index) else {
            throw AerieError(
                .usage, asked: asked, found: "the machine has \(devices.count) \(nouns)", advice: "name another one")
        }
        return devices[index]
    }

    private func setRate(
        _ rate: RateLimit, _ asked: String, _ body: (DeviceRate) throws(SystemError) -> Void
    ) throws(AerieError) {
        try rate.validate(asked)
        try whileAlive(asked) { () throws(AerieError) in
            do throws(SystemError) {
                try body(rate.deviceRate)
            } catch {
                throw AerieError(.unavailable, asked: asked, found: error.description)
            }
        }
    }

    /// Calls `body` on a machine that has started and not ended, whose lifecycle does not change meanwhile.
    func whileAlive(_ asked: String, _ body: () throws(AerieError) -> Void) throws(AerieError) {
        try exclusively { () throws(AerieError) in
            let found = state.withLock { $0.lifecycle }
            switch found {
            case .running, .paused: try body()
            default:
                throw AerieError(
                    .usage, asked: asked, found: "the machine is \(found.name)",
                    advice: "it has to be running or paused")
            }
        }
    }
}
