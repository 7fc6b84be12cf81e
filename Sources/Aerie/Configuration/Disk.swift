/// A guest's disk: a file of the host, its format, and the guest's access to it.
public struct Disk: Codable, Equatable, Sendable {
    /// A format of disk images.
    public enum Format: String, CaseIterable, Codable, Sendable {
        /// The file's bytes are the disk's bytes.
        case raw
        /// A qcow2 image, with what it is based on. What an image is based on may be any file that the caller can read, so that an
        /// image of somebody else's deserves a look first (`aerie disk info`).
        case qcow2
    }

    /// What becomes of a guest's writes when the host ends.
    public enum Cache: String, CaseIterable, Codable, Sendable {
        /// What the guest has flushed is on the host's medium.
        case writeback
        /// The same, and the host keeps no copy in memory (O_DIRECT): for raw disks whose guest caches well, and for the host's memory.
        /// The disk's size is a multiple of 4096 bytes.
        case none
        /// The guest's flushes do nothing: fast, for disks that can be made again.
        case unsafe
    }

    /// The guest's access to the file.
    public enum Access: String, Codable, Equatable, Sendable {
        /// The guest's writes go to the file.
        case readWrite
        /// The disk is read-only for the guest (VIRTIO_BLK_F_RO).
        case readOnly
        /// The guest's writes go to a copy-on-write overlay, which is deleted when the machine ends. The file does not change.
        case discardChanges
    }

    /// The longest serial number in bytes (virtio 1.2, section 5.2.6.1: GET_ID returns 20 bytes).
    public static let longestSerial = 20

    /// The file's path.
    public var path: String
    /// The file's format; nil for raw, and an error when the file begins as a qcow2 image: the guest of a raw disk could have
    /// written that.
    public var format: Format?
    /// The guest's access to the file.
    public var access: Access
    /// The serial number, which a Linux guest shows in `/sys/block/vda/serial` and, with udev, under `/dev/disk/by-id`: 1 to 20 printable ASCII characters without spaces;
    /// nil for none.
    public var serial: String?
    /// What becomes of the guest's writes when the host ends.
    public var cache = Cache.writeback
    /// The most requests and bytes in a second.
    public var rate = RateLimit()
    /// The size that the guest sees, with zeroes behind the end of the image; nil for the image's own. Only with `discardChanges`:
    /// whole sectors of 512 bytes, and at least the image's size.
    public var size: ByteSize?
    /// The hot-plug slot that the disk is in, 1 to `Configuration.hotplugSlots`, so that a running guest can lose it; nil for a disk that stays as long
    /// as the machine. With the transport `pci` only.
    public var slot: Int?

    /// Describes a disk on the file at `path`. `Configuration.validate()` checks the values.
    public init(path: String, format: Format? = nil, access: Access = .readWrite, serial: String? = nil) {
        self.path = path
        self.format = format
        self.access = access
        self.serial = serial
    }

    /// Parses `FILE[,format=raw|qcow2][,readonly][,serial=S][,cache=writeback|none|unsafe][,rate=R][,slot=N]`. A comma in the file's name is
    /// doubled. `R` is a number of bytes with K, M or G, or of requests, such as `500iops`; both can be given.
    ///
    /// - Throws: an error of category `usage` for an unknown setting or value.
    public init(option text: String) throws(AerieError) {
        let parts = OptionParts.split(text)
        self.init(path: parts[0])
        for part in parts.dropFirst() { try apply(part, of: text) }
    }

    private mutating func apply(_ setting: String, of text: String) throws(AerieError) {
        let asked = "--disk \(text)"
        let pair = setting.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        switch (pair[0], pair.count == 2 ? pair[1] : nil) {
        case ("readonly", nil): access = .readOnly
        case ("serial", let value?): serial = value
        case ("slot", let value?): slot = try Configuration.hotplugSlot(value, asked)
        case ("format", let value?):
            guard let known = Format(rawValue: value) else {
                throw AerieError(
                    .usage, asked: asked, found: "format '\(value)' is not known",
                    advice: "use format=raw or format=qcow2")
            }
            format = known
        case ("cache", let value?):
            guard let known = Cache(rawValue: value) else {
                throw AerieError(
                    .usage, asked: asked, found: "cache '\(value)' is not known",
                    advice: "use cache=writeback, cache=none or cache=unsafe")
            }
            cache = known
        case ("rate", let value?):
            guard rate.read(value, unit: "iops") else {
                throw AerieError(
                    .usage, asked: asked, found: "'\(value)' is not a valid rate",
                    advice: "use bytes in a second such as rate=10M, or requests such as rate=500iops")
            }
        default:
            throw AerieError(
                .usage, asked: asked, found: "'\(setting)' is not known",
                advice:
                    "after the file, use format=raw|qcow2, readonly, serial=S, cache=writeback|none|unsafe, rate=R or slot=N"
            )
        }
    }

    func validate() throws(AerieError) {
        try rate.validate("the rate of disk \(path)")
        if cache == .none, format == .qcow2 || access == .discardChanges {
            throw AerieError(
                .unavailable, asked: "cache=none of disk \(path)",
                found: format == .qcow2 ? "the disk is a qcow2 image" : "the disk's changes are thrown away",
                advice: "use it with a raw disk that keeps its changes, or use cache=writeback")
        }
        if let size, access != .discardChanges || size.bytes % 512 != 0 {
            throw AerieError(
                .usage, asked: "a disk of \(size)",
                found: "a size is whole sectors of 512 bytes, of a disk whose changes are "
                    + "thrown away", advice: "choose another size")
        }
        if path.isEmpty {
            throw AerieError(.usage, asked: "--disk", found: "no file is named", advice: "give its path")
        }
        if let serial,
            serial.isEmpty || serial.utf8.count > Self.longestSerial
                || !serial.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f })
        {
            throw AerieError(
                .usage, asked: "serial '\(serial)' of disk \(path)", found: "not 1 to 20 printable characters",
                advice: "choose another serial")
        }
    }
}
