internal import CFileSystem
internal import Glibc

/// A file's attributes as the guest is told them.
///
///     offset  size  struct fuse_attr
///          0     8  number of the file     8  8  size            16  8  blocks of 512 bytes
///         24     8  access time           32  8  modification    40  8  change
///         48     4  their nanoseconds     52  4                  56  4
///         60     4  mode                  64  4  links
///         68     4  user                  72  4  group
///         76     4  device                80  4  block size      84  4  flags
struct GuestAttributes {
    private let status: FileStatus
    private let inode: UInt64
    let mode: UInt32
    let user: UInt32
    let group: UInt32

    /// - Parameters:
    ///   - record: what the guest has set and the host does not have.
    ///   - rootDevice: the device of the share's root. Files of other devices, which are mounted below it, get numbers of their own.
    init(_ status: FileStatus, _ record: OwnerRecord?, _ ownership: Ownership, rootDevice: UInt64) {
        self.status = status
        let raw = status.raw
        inode = raw.device == rootDevice ? raw.inode : raw.inode ^ (raw.device &* 0x9E37_79B9_7F4A_7C15) << 16
        if let record {
            (mode, user, group) = (status.type | record.mode, record.user, record.group)
        } else {
            mode = raw.mode
            user = ownership.guest(raw.owner)
            group = ownership.guest(raw.group)
        }
    }

    func add(to reply: inout ReplyBytes) {
        let raw = status.raw
        for value in [inode, raw.size, raw.blocks] { reply.add(value) }
        for value in [raw.accessed, raw.modified, raw.changed] { reply.add(value) }
        for value in [
            raw.accessedFraction, raw.modifiedFraction, raw.changedFraction, mode, raw.links, user, group, raw.special,
            raw.blockSize, 0,
        ] { reply.add(value) }
    }

    /// struct fuse_entry_out: node, generation, validity of the name and of the attributes, attributes. Node 0 says that there is nothing.
    static func addEntry(_ entry: (node: UInt64, attributes: GuestAttributes)?, to reply: inout ReplyBytes) {
        reply.add(entry?.node ?? 0)
        reply.add(zeroes: 24)
        reply.add(FileServer.validity)
        reply.add(FileServer.validity)
        if let entry { entry.attributes.add(to: &reply) } else { reply.add(zeroes: 88) }
    }

    /// struct fuse_statx: mask, block size, attributes, links, user, group, mode, number, size, blocks, mask of attributes, times of access,
    /// birth, change and modification, devices.
    func addStatus(to reply: inout ReplyBytes) {
        let raw = status.raw
        let hasBirth = raw.created != 0 || raw.createdFraction != 0
        reply.add(UInt32(hasBirth ? 0xFFF : 0x7FF))
        reply.add(raw.blockSize)
        reply.add(UInt64(0))
        for value in [raw.links, user, group] { reply.add(value) }
        reply.add(UInt16(truncatingIfNeeded: mode))
        reply.add(UInt16(0))
        for value in [inode, raw.size, raw.blocks, 0] { reply.add(value) }
        for (seconds, fraction) in [
            (raw.accessed, raw.accessedFraction), (raw.created, raw.createdFraction),
            (raw.changed, raw.changedFraction), (raw.modified, raw.modifiedFraction),
        ] {
            reply.add(seconds)
            reply.add(fraction)
            reply.add(UInt32(0))
        }
        reply.add(raw.special >> 8 & 0xFFF)
        reply.add(raw.special & 0xFF | raw.special >> 12 & 0xFFF00)
        reply.add(zeroes: 8 + 14 * 8)
    }
}
