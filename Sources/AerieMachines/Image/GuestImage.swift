internal import GuestImages

/// An image of a system, from which any number of machines boot: a kernel, an initial RAM disk and a root disk. Machines do not change it.
public struct GuestImage: Sendable {
    let stored: StoredImage

    /// The image's name, such as `debian:trixie`.
    public var name: String { "\(stored.manifest.reference)" }
    /// The architecture of the image's guests.
    public var architecture: Configuration.Architecture {
        Configuration.Architecture(rawValue: stored.manifest.architecture.rawValue) ?? .riscv64
    }
    /// The kernel's release, as `uname -r` prints it in a guest.
    public var kernelRelease: String { stored.manifest.kernelRelease }
    /// The size of the root disk as a guest sees it.
    public var diskSize: ByteSize { ByteSize(bytes: stored.manifest.diskSize) }
    /// The bytes that the image's files have on this host.
    public var allocatedSize: ByteSize { ByteSize(bytes: stored.allocatedSize) }
    /// The version of each Debian package in the image, by its name.
    public var packages: [String: String] {
        Dictionary(stored.manifest.packages.map { ($0.name, $0.version) }, uniquingKeysWith: { first, _ in first })
    }

    /// A configuration that boots the image in this process, for `VirtualMachine`. The guest's changes to its disk are thrown away.
    ///
    /// Commands run in the guest if the configuration has `sockets` (`VirtualMachine.agent`).
    ///
    /// - Parameter base: the settings of the machine: vCPUs, memory, further disks and so on. The image adds its kernel, root disk and words of the
    ///   command line.
    /// - Throws: `usage` for another architecture, and for a command line that is too long.
    public func configuration(_ base: Configuration? = nil) throws(AerieError) -> Configuration {
        var configuration = base ?? Configuration()
        if base == nil { configuration.architecture = architecture }
        try checkArchitecture(of: configuration)
        var plan = ImageConfiguration(stored)
        plan.command = GuestBootWords.idleCommand
        try plan.complete(&configuration)
        return configuration
    }

    func checkArchitecture(of configuration: Configuration) throws(AerieError) {
        guard configuration.architecture != architecture else { return }
        throw AerieError(
            .usage, asked: "a machine for \(configuration.architecture.rawValue)",
            found: "the image \(name) is for \(architecture.rawValue)", advice: "choose another image")
    }
}

/// What an image is built of.
public struct ImageRecipe: Equatable, Sendable {
    /// What is process 1 of the image's guests.
    public enum InitSystem: String, CaseIterable, Sendable {
        /// Aerie's own script: no services.
        case aerie
        /// systemd with its units, journal and control groups.
        case systemd
    }

    /// Debian's suite or code name.
    public var suite = "trixie"
    /// The architecture of the image's guests: riscv64 or x86_64.
    public var architecture = Configuration.Architecture.riscv64
    /// Debian packages beyond the minimal system, by name.
    public var packages: [String] = []
    /// The name under which the image is stored, as `NAME` or `NAME:TAG`; nil for `debian` and the suite.
    public var name: String?
    /// The address of Debian's archive; nil for the one that this host's apt uses.
    public var mirror: String?
    /// The root disk's size as the guest sees it: 1 GiB to 1 TiB.
    public var diskSize = ByteSize.mebibytes(4096)
    /// What is process 1.
    public var initSystem = InitSystem.aerie

    /// A minimal Debian with these packages.
    public init(packages: [String] = []) { self.packages = packages }

    func options() throws(ImageError) -> BuildOptions {
        var options = BuildOptions()
        options.suite = suite
        options.architecture = try ImageArchitecture(parsing: architecture.rawValue)
        options.packages = packages
        options.mirror = mirror
        options.diskSize = diskSize.bytes
        options.initSystem = initSystem == .systemd ? .systemd : .aerie
        if let name { options.reference = try ImageReference(parsing: name) }
        return options
    }
}

/// A step of an image's build.
public struct ImageProgress: Equatable, Sendable {
    /// The build's phase, as a phrase such as `Unpacking packages`.
    public let phase: String
    /// How much of `total` is done, in bytes or packages; both are 0 while nobody knows.
    public let completed: UInt64
    /// The extent of the phase.
    public let total: UInt64

    init(_ progress: BuildProgress) {
        phase = progress.phase.rawValue
        completed = progress.completed
        total = progress.total
    }
}
