package import Aerie

/// The description of a machine that is kept: `machine.json` in the machine's directory.
package struct MachineRecord: Codable, Equatable, Sendable {
    /// An image that the machine boots.
    package struct Image: Codable, Equatable, Sendable {
        /// Such as `debian:trixie`.
        package var reference: String
        /// The directory of the image's files, whose last part is the image's identity.
        package var directory: String

        package var identity: String { directory.split(separator: "/").last.map(String.init) ?? "" }

        package init(reference: String, directory: String) {
            self.reference = reference
            self.directory = directory
        }
    }

    /// The form of the file; readers refuse another.
    package static let currentVersion = 1

    package var version = MachineRecord.currentVersion
    /// 12 hexadecimal digits.
    package var id: String
    package var name: String
    /// Nanoseconds since 1970.
    package var created: UInt64
    package var image: Image?
    /// The command that the guest runs instead of a shell; empty for the shell.
    package var command: [String] = []
    /// Nil for a command on the kernel's command line, and for none: then the guest's agent has none to start.
    package var commandSettings: CommandSettings?
    /// Nil for a guest without networks whose addresses the host chooses.
    package var network: GuestNetwork?
    /// The user's, and those of 'aerie up', which begin with `aerie.`.
    package var labels: [String: String] = [:]
    /// The words of `aerie run` or `aerie create` that made the machine; empty for another maker.
    package var arguments: [String] = []
    /// Whether the machine is removed when it ends.
    package var removesAtEnd = false
    package var restart = RestartPolicy.no
    /// Nil for a guest that is not asked how it is.
    package var healthCheck: HealthCheck?
    /// Seconds that the guest has to power off.
    package var stopTimeout: Int
    /// Whether an agent of Aerie runs in the guest.
    package var hasAgent = false
    /// Nil for an ordinary process's.
    package var processorShare: ProcessorShare?
    /// Whether the machine starts only in a jail with all its layers; nil for no.
    package var requiresJail: Bool?
    /// The IDs of the snapshot that the machine was restored from and of those before it, the nearest first; nil for another machine.
    package var descent: [String]?
    package var logLevel: String?
    package var logFile: String?
    /// The directory in which relative paths of `configuration` begin.
    package var workingDirectory: String
    package var configuration: Configuration

    package init(
        id: String, name: String, created: UInt64, stopTimeout: Int, workingDirectory: String,
        configuration: Configuration
    ) {
        self.id = id
        self.name = name
        self.created = created
        self.stopTimeout = stopTimeout
        self.workingDirectory = workingDirectory
        self.configuration = configuration
    }
}
