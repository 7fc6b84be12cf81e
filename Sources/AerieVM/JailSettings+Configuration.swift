internal import Aerie
internal import Jail

extension JailSettings {
    /// Threads that a machine has besides those of its vCPUs: event loops, consoles, the log, disks, shared folders, the translator.
    private static let otherThreads = 96
    /// Bytes that disks, networks and consoles may need after the lock.
    private static let deviceMemory: UInt64 = 1 << 30

    /// What the process of this machine still needs of its host when the guest runs.
    ///
    /// - Throws: the errors of `Configuration.validate`.
    init(_ configuration: Configuration) throws(AerieError) {
        self.init()
        shares = configuration.shares.map {
            Directory(path: $0.hostDirectory, isReadOnly: $0.access == .readOnly)
        }
        socketDirectories = configuration.segmentDirectories
        usesKVM = configuration.architecture == .x86_64
        usesTap = configuration.networkCards.contains { card in
            if case .tap = card.network { true } else { false }
        }
        threads = configuration.cpus + Self.otherThreads
        // What the translator knows of a block is a multiple of its code.
        memory = Self.deviceMemory + 8 * configuration.codeCacheSize.bytes
        passt = try configuration.passtCommands().map { Passt(card: $0.card, path: $0.path, arguments: $0.arguments) }
        socketPath = configuration.sockets?.path
    }
}
