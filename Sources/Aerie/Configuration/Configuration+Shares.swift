internal import Glibc
internal import SharedFolders
internal import VirtioDevices

extension Configuration {
    /// The most shared folders of a machine.
    static let mostShares = 16

    /// The name by which the guest mounts a share.
    package static func shareTag(_ index: Int) -> String { "share\(index)" }

    func validateShares() throws(AerieError) {
        if shares.count > Self.mostShares {
            throw AerieError(
                .usage, asked: "\(shares.count) shared folders", found: "a machine has at most \(Self.mostShares)",
                advice: "leave some out")
        }
        for (index, share) in shares.enumerated() {
            try share.validate()
            guard !shares[..<index].contains(where: { $0.guestDirectory == share.guestDirectory }) else {
                throw AerieError(
                    .usage, asked: "--share \(share.hostDirectory):\(share.guestDirectory)",
                    found: "another share has this directory in the guest", advice: "choose another")
            }
        }
    }

    /// The shares' devices, in the order of the configuration.
    func makeShareDevices() throws(AerieError) -> [FileSystemDevice] {
        var devices: [FileSystemDevice] = []
        let limits = shares.isEmpty ? nil : FileServer.Limits(memory: memory.bytes, shares: shares.count)
        for (index, share) in shares.enumerated() {
            guard let limits else { break }
            do {
                let server = try FileServer(
                    path: share.hostDirectory, ownership: share.fileOwnership, isReadOnly: share.access == .readOnly,
                    limits: limits)
                devices.append(FileSystemDevice(tag: Self.shareTag(index), server: server))
            } catch {
                throw share.refused(String(cString: strerror(error.code)), "check the path and its permissions")
            }
        }
        return devices
    }
}

extension Share {
    /// PATH_MAX of Linux, and room for other words on the guest's command line.
    private static let longestGuestDirectory = 255

    fileprivate func refused(_ found: String, _ advice: String) -> AerieError {
        AerieError(.badInput, asked: "--share \(hostDirectory)", found: found, advice: advice)
    }

    fileprivate var fileOwnership: SharedFolders.Ownership {
        switch ownership {
        case .caller: .caller
        case .pass: .pass
        case .map(let ranges):
            .map(ranges.compactMap { IdentityRange(guest: $0.guest, host: $0.host, count: $0.count) })
        }
    }

    func validate() throws(AerieError) {
        var status = stat()
        guard stat(hostDirectory, &status) == 0 else {
            throw refused(String(cString: strerror(errno)), "check the path")
        }
        guard status.st_mode & S_IFMT == S_IFDIR else { throw refused("it is not a directory", "give a directory") }
        guard Glibc.access(hostDirectory, R_OK | X_OK) == 0 else {
            throw refused(String(cString: strerror(errno)), "check its permissions")
        }
        let isPlain = guestDirectory.utf8.allSatisfy {
            $0 > 0x20 && $0 != 0x7f && $0 != 0x22 && $0 != 0x27 && $0 != 0x5c
        }
        let names = guestDirectory.split(separator: "/")
        guard guestDirectory.hasPrefix("/"), !names.isEmpty, isPlain, !names.contains(".."), !names.contains("."),
            guestDirectory.utf8.count <= Self.longestGuestDirectory
        else {
            throw AerieError(
                .usage, asked: "--share \(hostDirectory):\(guestDirectory)",
                found: "the guest's directory is not an absolute path below / without spaces, quotation marks and "
                    + "backslashes", advice: "use a path such as /work")
        }
        guard case .map(let ranges) = ownership else { return }
        guard (1...Self.mostRanges).contains(ranges.count),
            ranges.allSatisfy({ IdentityRange(guest: $0.guest, host: $0.host, count: $0.count) != nil })
        else {
            throw AerieError(
                .usage, asked: "map= of share \(hostDirectory)",
                found: "it is not 1 to \(Self.mostRanges) ranges of numbers below 4294967295, none of them empty",
                advice: "use GUEST:HOST:COUNT, such as 0:100000:65536")
        }
        try validateDisjoint(ranges)
    }

    /// A number that is in two ranges would be two users.
    private func validateDisjoint(_ ranges: [Range]) throws(AerieError) {
        func overlap(_ first: (UInt32, UInt32), _ second: (UInt32, UInt32)) -> Bool {
            UInt64(first.0) < UInt64(second.0) + UInt64(second.1)
                && UInt64(second.0) < UInt64(first.0) + UInt64(first.1)
        }
        for (index, range) in ranges.enumerated() {
            for other in ranges[..<index]
            where overlap((range.guest, range.count), (other.guest, other.count))
                || overlap((range.host, range.count), (other.host, other.count))
            {
                throw AerieError(
                    .usage, asked: "map= of share \(hostDirectory)", found: "two ranges overlap",
                    advice: "give each user one place")
            }
        }
    }
}
