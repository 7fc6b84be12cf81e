/// What a machine in a process of its own is made of.
public struct MachineSettings: Sendable {
    /// The valid times of `stopTimeout`, in seconds.
    public static let stopTimeouts = 0...86_400

    /// vCPUs, memory, disks and so on. Without an image, it names a kernel or firmware; with one, the image adds its own.
    public var configuration: Configuration
    /// The image that the guest boots; nil for the configuration's kernel or firmware.
    public var image: GuestImage?
    /// The machine's name: 1 to 63 letters, digits, hyphens, dots and underscores. Nil for two words that are made up.
    public var name: String?
    /// The size that the image's root disk, and the file system on it, grow to; nil for the image's.
    public var diskSize: ByteSize?
    /// Whether the machine is removed when it ends, and the guest's changes to the image's disk are thrown away.
    public var isTemporary = false
    /// Seconds that the guest has to power off, where nobody says otherwise: in `stopTimeouts`.
    public var stopTimeout = 10
    /// Texts that are kept with the machine.
    public var labels: [String: String] = [:]
    /// Whether the machine starts only in a jail with all its layers. A host that refuses some of them starts others with a warning in their logs.
    public var requiresJail = false

    /// A machine that boots the configuration's kernel or firmware.
    public init(_ configuration: Configuration) { self.configuration = configuration }

    /// A machine that boots an image: one vCPU, 512 MiB, no network.
    public init(image: GuestImage) {
        configuration = Configuration()
        configuration.architecture = image.architecture
        self.image = image
    }

    /// Checks what can be checked before the machine is made. `MachineStore.create` calls it.
    ///
    /// - Throws: `usage` for values out of range, and the errors of `Configuration.validate`.
    public func validate() throws(AerieError) {
        guard Self.stopTimeouts.contains(stopTimeout) else {
            throw AerieError(
                .usage, asked: "a time of \(stopTimeout) s to power off", found: "it is not from 0 to 86400 s",
                advice: "choose a number in this range")
        }
        guard diskSize == nil || image != nil else {
            throw AerieError(.usage, asked: "a size of the root disk", found: "the machine boots no image")
        }
        if let image {
            try image.checkArchitecture(of: configuration)
        } else {
            try configuration.validate()
        }
    }
}
