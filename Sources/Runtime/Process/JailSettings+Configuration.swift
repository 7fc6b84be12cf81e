package import Aerie
package import Jail

extension JailSettings {
    /// Threads that a machine has besides those of its vCPUs and of shared folders: connections to its control socket (64), event loops,
    /// consoles, logs, disks, the translator.
    private static let otherThreads = 112
    private static let threadsOfShare = 4
    /// Bytes that disks, networks and consoles may need after the lock.
    private static let deviceMemory: UInt64 = 1 << 30

    /// What the process of this machine still needs of its host when the guest runs.
    ///
    /// - Throws: the errors of `Configuration.validate`.
    package init(_ configuration: Configuration) throws(AerieError) {
        self.init()
        shares = configuration.shares.map {
            Directory(path: $0.hostDirectory, isReadOnly: $0.access == .readOnly)
        }
        socketDirectories = configuration.segmentDirectories
        usesKVM = configuration.architecture == .x86_64
        // A card may be plugged in later, with an interface that somebody else has opened.
        usesTap = configuration.hasHotplug || configuration.networkCards.contains { $0.network.needsInterface }
        threads = configuration.cpus + Self.otherThreads + Self.threadsOfShare * configuration.shares.count
        // What the translator knows of a block is a multiple of its code.
        memory = Self.deviceMemory + 8 * configuration.codeCacheSize.bytes
        // A fork makes the guest's memory private (`GuestMemory.freeze`).
        memory += configuration.mostMemory
        passt = try configuration.passtCommands().map { Passt(card: $0.card, path: $0.path, arguments: $0.arguments) }
        socketPath = configuration.sockets?.path
        descriptors = Self.namedDescriptors(configuration)
    }

    /// Descriptors that files of the machine are named after: whoever starts the machine has them open.
    private static func namedDescriptors(_ configuration: Configuration) -> [Int32] {
        let paths =
            [configuration.kernel, configuration.initrd, configuration.firmware].compactMap { $0 }
            + configuration.disks.map(\.path) + configuration.flash.map(\.path)
        return paths.compactMap { path in
            for directory in ["/dev/fd/", "/proc/self/fd/"] where path.hasPrefix(directory) {
                return Int32(path.dropFirst(directory.utf8.count))
            }
            return nil
        }
    }
}
