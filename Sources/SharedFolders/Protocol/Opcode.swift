/// Operations of the FUSE protocol (include/uapi/linux/fuse.h, enum fuse_opcode). Those that are left out are answered with ENOSYS,
/// and the kernel then does without them.
enum Opcode: UInt32 {
    case lookup = 1
    case forget = 2
    case getAttributes = 3
    case setAttributes = 4
    case readLink = 5
    case makeSymlink = 6
    case makeNode = 8
    case makeDirectory = 9
    case unlink = 10
    case removeDirectory = 11
    case rename = 12
    case link = 13
    case open = 14
    case read = 15
    case write = 16
    case volume = 17
    case release = 18
    case synchronize = 20
    case setExtended = 21
    case getExtended = 22
    case listExtended = 23
    case removeExtended = 24
    case initialize = 26
    case openDirectory = 27
    case readDirectory = 28
    case releaseDirectory = 29
    case synchronizeDirectory = 30
    case create = 35
    case interrupt = 36
    case destroy = 38
    case forgetMany = 42
    case allocate = 43
    case readDirectoryPlus = 44
    case renameWithFlags = 45
    case seek = 46
    case copyRange = 47
    case synchronizeVolume = 50
    case makeUnnamed = 51
    case status = 52

    /// Whether the guest expects no answer.
    var isSilent: Bool { self == .forget || self == .forgetMany }

    /// Whether the request changes the share. Handles that are open for writing exist only where writing is allowed.
    var isChange: Bool {
        switch self {
        case .setAttributes, .makeSymlink, .makeNode, .makeDirectory, .unlink, .removeDirectory, .rename, .link,
            .write, .setExtended, .removeExtended, .create, .allocate, .renameWithFlags, .copyRange, .makeUnnamed:
            true
        default: false
        }
    }

    /// Bytes of the arguments before names and data.
    var argumentSize: Int {
        switch self {
        case .forget, .makeDirectory, .rename, .link, .open, .setExtended, .getExtended, .listExtended, .openDirectory,
            .interrupt, .forgetMany, .synchronizeVolume:
            8
        case .getAttributes, .makeNode, .synchronize, .synchronizeDirectory, .create, .renameWithFlags,
            .makeUnnamed, .initialize:
            16
        case .release, .releaseDirectory, .seek, .status: 24
        case .allocate: 32
        case .read, .write, .readDirectory, .readDirectoryPlus: 40
        case .copyRange: 56
        case .setAttributes: 88
        case .lookup, .readLink, .makeSymlink, .unlink, .removeDirectory, .volume, .removeExtended, .destroy: 0
        }
    }
}
