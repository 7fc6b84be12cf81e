internal import SharedFolders

/// A directory of the host that the guest mounts (virtio-fs).
public struct Share: Codable, Equatable, Sendable {
    /// What the guest may do with the files.
    public enum Access: String, CaseIterable, Codable, Sendable {
        /// Reads and writes.
        case readWrite
        /// Reads only; every change is an error (EROFS).
        case readOnly
    }

    /// Who owns the files, as the guest sees it.
    public enum Ownership: Codable, Equatable, Sendable {
        /// Everything belongs to the guest's root, and what the guest makes belongs to this process's user on the host. Owners that the
        /// guest sets, and the bits for set-user-ID, set-group-ID and sticky, are kept in the extended attribute `user.aerie.owner` and
        /// have no effect on the host.
        case caller
        /// Users and groups have the same numbers on both sides, and all modes reach the host. For a process with root's privileges, the
        /// guest's root is the host's root in this directory.
        case pass
        /// Users and groups in these ranges have other numbers; the guest sees all others as 65534 (`nobody`). 1 to 16 ranges.
        case map([Range])
    }

    /// Users and groups of the guest, and those of the host that they stand for.
    public struct Range: Codable, Equatable, Sendable {
        /// The guest's first number.
        public var guest: UInt32
        /// The host's first number.
        public var host: UInt32
        /// How many numbers follow each other; at least 1.
        public var count: UInt32

        /// Creates a range.
        public init(guest: UInt32, host: UInt32, count: UInt32) {
            self.guest = guest
            self.host = host
            self.count = count
        }
    }

    static let mostRanges = 16

    /// The path of the host's directory.
    public var hostDirectory: String
    /// The absolute path at which images of Aerie mount it, without spaces, quotation marks and control characters.
    public var guestDirectory: String
    /// What the guest may do.
    public var access: Access
    /// Who owns the files.
    public var ownership: Ownership

    /// Describes a share. `Configuration.validate()` checks the values.
    public init(
        hostDirectory: String, guestDirectory: String, access: Access = .readWrite, ownership: Ownership = .caller
    ) {
        self.hostDirectory = hostDirectory
        self.guestDirectory = guestDirectory
        self.access = access
        self.ownership = ownership
    }

    /// Parses `HOSTDIR:GUESTDIR[:ro][,owner=caller|pass][,map=GUEST:HOST:COUNT[+GUEST:HOST:COUNT]...]`. A comma in a directory's
    /// name is doubled.
    ///
    /// - Throws: an error of category `usage` for another form.
    public init(option text: String) throws(AerieError) {
        let parts = OptionParts.split(text)
        var place = Substring(parts[0])
        var access = Access.readWrite
        for (suffix, value) in [(":ro", Access.readOnly), (":rw", .readWrite)] where place.hasSuffix(suffix) {
            place = place.dropLast(suffix.count)
            access = value
            break
        }
        // The guest's directory is absolute, so that colons in the host's name do no harm.
        guard let colon = place.indices.last(where: { place[$0...].hasPrefix(":/") }), colon > place.startIndex else {
            throw AerieError(
                .usage, asked: "--share \(text)",
                found: "it is not a host's directory and an absolute path in the guest",
                advice: "use HOSTDIR:/GUESTDIR[:ro], such as .:/work")
        }
        self.init(
            hostDirectory: String(place[..<colon]), guestDirectory: String(place[place.index(after: colon)...]),
            access: access)
        for part in parts.dropFirst() { try apply(part, of: text) }
    }

    private mutating func apply(_ setting: String, of text: String) throws(AerieError) {
        if setting == "owner=caller" {
            ownership = .caller
        } else if setting == "owner=pass" {
            ownership = .pass
        } else if let value = ["map=", "owner=map="].lazy.compactMap({ setting.after($0) }).first {
            ownership = .map(try Self.ranges(value, of: text))
        } else {
            throw AerieError(
                .usage, asked: "--share \(text)", found: "'\(setting)' is not known",
                advice: "after the directories, use owner=caller, owner=pass or map=GUEST:HOST:COUNT")
        }
    }

    private static func ranges(_ text: Substring, of option: String) throws(AerieError) -> [Range] {
        try text.split(separator: "+", omittingEmptySubsequences: false).map { range throws(AerieError) in
            let numbers = range.split(separator: ":", omittingEmptySubsequences: false).map { UInt32($0) }
            guard numbers.count == 3, let guest = numbers[0], let host = numbers[1], let count = numbers[2] else {
                throw AerieError(
                    .usage, asked: "--share \(option)", found: "'\(range)' is not a range of users",
                    advice: "use GUEST:HOST:COUNT, such as 0:100000:65536, with + between ranges")
            }
            return Range(guest: guest, host: host, count: count)
        }
    }
}

extension String {
    fileprivate func after(_ prefix: String) -> Substring? { hasPrefix(prefix) ? dropFirst(prefix.count) : nil }
}
