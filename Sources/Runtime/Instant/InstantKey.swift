package import Aerie
package import ControlAPI
internal import Glibc
internal import HostSystem

/// Everything that a guest depends on which goes on from a snapshot of its image. Machines with equal keys can go on from the same snapshot.
package struct InstantKey: Codable, Equatable, Sendable {
    /// The form of the saved state and of this value.
    private static let currentVersion = 1

    private var version = InstantKey.currentVersion
    /// The directory of the image's files, whose last part is the digest of them.
    package let image: String
    /// The programs of Aerie: they have the agent, the boards and the form of the state in them.
    package let programs: [SnapshotRecord.Stamp]
    private var configuration: Configuration
    /// The directories of the host that the guest has mounted, by device and inode.
    private var folders: [[UInt64]] = []
    /// The guest has asked for its name servers already, which are those of the host's file.
    private var resolver = ""

    /// - Parameters:
    ///   - image: the directory of the image's files.
    ///   - configuration: of a machine that boots the image.
    ///   - directory: where relative paths of the configuration begin.
    ///   - programs: of Aerie.
    package init(
        image: String, configuration: Configuration, directory: String, programs: [SnapshotRecord.Stamp]
    ) throws(AerieError) {
        self.image = image
        self.programs = programs
        self.configuration = configuration
        // The guest sees none of them.
        self.configuration.publishedPorts = []
        self.configuration.memoryPolicy = nil
        self.configuration.scratchDirectories = []
        for (index, share) in configuration.shares.enumerated() {
            let path = share.hostDirectory
            folders.append(try Self.identity(of: path.hasPrefix("/") ? path : "\(directory)/\(path)"))
            self.configuration.shares[index].hostDirectory = ""
        }
        if !configuration.networkCards.isEmpty { resolver = ProcessFile.text("/etc/resolv.conf") ?? "" }
    }

    private static func identity(of path: String) throws(AerieError) -> [UInt64] {
        var status = stat()
        guard stat(path, &status) == 0 else {
            throw AerieError(opening: "the shared folder \(path)", .last("stat"))
        }
        return [UInt64(status.st_dev), UInt64(status.st_ino)]
    }

    /// Whether the translator generates the same code for a machine as for those with this key.
    func generatesCode(for other: Configuration) -> Bool {
        configuration.engine != .interpret && configuration.codeCacheSize == other.codeCacheSize
            && configuration.processor ?? Processor() == other.processor ?? Processor()
            && configuration.interrupts ?? .plic == other.interrupts ?? .plic
    }

    /// Equal for equal keys.
    var text: [UInt8] {
        get throws(AerieError) {
            do { return try JSONValue(encoding: self).text } catch {
                throw AerieError(.internalError, asked: "the key of a snapshot", found: "\(error)")
            }
        }
    }

    /// A directory's name. Two keys may have the same one (FNV-1a of 64 bits), so that the text is compared as well.
    static func name(_ text: [UInt8]) -> String { FNV1a(text).text }
}
