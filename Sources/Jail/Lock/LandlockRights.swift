/// The rights that a version of Landlock can take away (linux/landlock.h).
struct LandlockRights: Equatable {
    /// 1 or higher.
    let version: Int

    private static let execute: UInt64 = 1 << 0
    private static let readFile: UInt64 = 1 << 2
    private static let readDirectory: UInt64 = 1 << 3
    private static let removeFile: UInt64 = 1 << 5
    private static let makeCharacterDevice: UInt64 = 1 << 6
    private static let makeBlockDevice: UInt64 = 1 << 11
    private static let controlDevice: UInt64 = 1 << 15

    /// All rights on files: 13 in version 1, then linking between directories (2), truncation (3), and control of devices (5).
    var files: UInt64 {
        let count =
            switch version {
            case 1: 13
            case 2: 14
            case 3, 4: 15
            default: 16
            }
        return (1 << count) - 1
    }

    /// Binding and connecting of TCP, from version 4 on.
    var network: UInt64 { version >= 4 ? 0b11 : 0 }

    /// Abstract sockets of Unix and signals to other processes, from version 6 on.
    var scopes: UInt64 { version >= 6 ? 0b11 : 0 }

    /// The bytes of the structure with the rights.
    var size: Int { version >= 6 ? 24 : version >= 4 ? 16 : 8 }

    /// The rights in a shared folder that may be changed: all but programs and devices.
    var changing: UInt64 {
        files & ~(Self.execute | Self.makeCharacterDevice | Self.makeBlockDevice | Self.controlDevice)
    }

    /// The rights in a shared folder that is only read.
    var reading: UInt64 { Self.readFile | Self.readDirectory }

    /// The rights in a directory of sockets: finding members, and removing what they left.
    var removing: UInt64 { Self.readDirectory | Self.removeFile }

    /// What this version lacks of what the jail asks for; nil for nothing.
    var missing: String? {
        switch version {
        case ..<4: "the kernel's version \(version) does not know networks and signals"
        case 4, 5: "the kernel's version \(version) does not know signals"
        default: nil
        }
    }
}
