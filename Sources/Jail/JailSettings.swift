/// What a jailed process still needs of its host.
package struct JailSettings: Sendable {
    /// A directory that the process has opened before the lock, with all that is in it.
    package struct Directory: Equatable, Sendable {
        package let path: String
        package let isReadOnly: Bool

        package init(path: String, isReadOnly: Bool) {
            self.path = path
            self.isReadOnly = isReadOnly
        }
    }

    /// A passt that the monitor may start: again and again, but always with this command line.
    package struct Passt: Equatable, Sendable {
        /// The number of its network card.
        package let card: Int
        package let path: String
        package let arguments: [String]

        package init(card: Int, path: String, arguments: [String]) {
            self.card = card
            self.path = path
            self.arguments = arguments
        }
    }

    /// Shared folders. The process may hold no descriptor of another directory at the lock.
    package var shares: [Directory] = []
    /// Directories with the sockets of switches, which the process sends to by path.
    package var socketDirectories: [String] = []
    /// Whether the process runs vCPUs with KVM.
    package var usesKVM = false
    /// Whether the process has a TAP interface, or may get one.
    package var usesTap = false
    /// The most threads of the process.
    package var threads = 256
    /// The most bytes of private memory that the process may add after the lock.
    package var memory: UInt64 = 1 << 30
    /// Descriptors that the process inherits besides the standard streams.
    package var descriptors: [Int32] = []
    package var passt: [Passt] = []
    /// Where the guest's connections to the host lead: `PATH_PORT`. The file at PATH is removed after the process's end.
    package var socketPath: String?
    /// Layers that are left out. Only tests leave some out, to see what each is good for.
    package var omittedLayers: Set<JailLayer> = []

    package init() {}
}
