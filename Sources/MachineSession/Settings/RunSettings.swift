package import Aerie
internal import Glibc
package import HostSystem

/// What a user says about a guest to run, on the command line or in a file; nil where nothing is said.
package struct RunSettings: Equatable {
    package var image: String?
    /// What to run in the image instead of a shell.
    package var command: [String]?
    package var architecture: Configuration.Architecture?
    package var engine: Configuration.Engine?
    package var trace: String?
    package var codeCache: ByteSize?
    package var processor: Processor?
    package var cpus: Int?
    package var memory: ByteSize?
    package var memoryGrowth: MemoryGrowth?
    package var mergesMemory: Bool?
    package var memoryPolicy: MemoryPolicy?
    package var kernel: String?
    package var initrd: String?
    package var commandLine: String?
    package var firmware: String?
    package var flash: [FlashFile]?
    package var disks: [Disk]?
    /// The file that keeps the changes to the image's root disk.
    package var overlay: String?
    /// What the image's root disk, and the file system on it, grow to.
    package var diskSize: ByteSize?
    /// Nil for the default, which is a user network where passt is installed; empty for no network.
    package var networks: [NetworkCard]?
    package var publishedPorts: [PublishedPort]?
    package var allowedEgress: [String]?
    package var shares: [Share]?
    package var transport: Configuration.Transport?
    package var interrupts: Configuration.Interrupts?
    package var console: Configuration.Console?
    package var sockets: SocketSettings?
    package var watchdog: Configuration.WatchdogAction?
    package var readOnly: Bool?
    package var noReboot: Bool?
    /// Whether the host can tell the guest's init to power off.
    package var controlPort: Bool?
    /// Whether the guest starts only in a jail with all its layers.
    package var requireJail: Bool?
    /// Seconds.
    package var stopTimeout: Int?
    package var logLevel: LogLevel?
    /// Where the log goes; nil is standard error.
    package var logFile: String?

    package init() {}

    /// These settings, and where they say nothing, the others.
    package func over(_ other: RunSettings) -> RunSettings {
        var result = RunSettings()
        result.image = image ?? other.image
        result.command = command ?? other.command
        result.architecture = architecture ?? other.architecture
        result.engine = engine ?? other.engine
        result.trace = trace ?? other.trace
        result.codeCache = codeCache ?? other.codeCache
        result.processor = processor ?? other.processor
        result.cpus = cpus ?? other.cpus
        result.memory = memory ?? other.memory
        result.memoryGrowth = memoryGrowth ?? other.memoryGrowth
        result.mergesMemory = mergesMemory ?? other.mergesMemory
        result.memoryPolicy = memoryPolicy ?? other.memoryPolicy
        result.kernel = kernel ?? other.kernel
        result.initrd = initrd ?? other.initrd
        result.commandLine = commandLine ?? other.commandLine
        result.firmware = firmware ?? other.firmware
        result.flash = flash ?? other.flash
        result.disks = disks ?? other.disks
        result.overlay = overlay ?? other.overlay
        result.diskSize = diskSize ?? other.diskSize
        result.networks = networks ?? other.networks
        result.publishedPorts = publishedPorts ?? other.publishedPorts
        result.allowedEgress = allowedEgress ?? other.allowedEgress
        result.shares = shares ?? other.shares
        result.transport = transport ?? other.transport
        result.interrupts = interrupts ?? other.interrupts
        result.console = console ?? other.console
        result.sockets = sockets ?? other.sockets
        result.watchdog = watchdog ?? other.watchdog
        result.readOnly = readOnly ?? other.readOnly
        result.noReboot = noReboot ?? other.noReboot
        result.controlPort = controlPort ?? other.controlPort
        result.requireJail = requireJail ?? other.requireJail
        result.stopTimeout = stopTimeout ?? other.stopTimeout
        result.logLevel = logLevel ?? other.logLevel
        result.logFile = logFile ?? other.logFile
        return result
    }

    /// The machine without an image.
    package func configuration() throws(AerieError) -> Configuration {
        var result = plainConfiguration
        if let diskSize, image == nil {
            throw AerieError(
                .usage, asked: "--disk-size \(diskSize)", found: "no image is named",
                advice: "name one, such as debian, or use 'aerie disk resize' for other disks")
        }
        if let overlay {
            guard image != nil else {
                throw AerieError(
                    .usage, asked: "--overlay \(overlay)", found: "no image is named",
                    advice: "name one, such as debian, or make an overlay of a disk with 'aerie disk create --backing'")
            }
            guard !(readOnly ?? false) else {
                throw AerieError(
                    .usage, asked: "--overlay \(overlay)", found: "--read-only throws the changes away",
                    advice: "leave one out")
            }
        }
        guard readOnly ?? false, image == nil else { return result }
        guard !result.disks.isEmpty else {
            throw AerieError(
                .usage, asked: "--read-only", found: "the guest has no disk", advice: "name an image or give --disk")
        }
        if result.disks[0].access == .readWrite { result.disks[0].access = .discardChanges }
        return result
    }

    /// Whether the guest boots an image as it is, and therefore has the agent.
    package var bootsImage: Bool { image != nil && kernel == nil && initrd == nil }

    /// Whether the guest has no network because passt is not installed.
    package var lacksNetwork: Bool { networks == nil && !needsDefaultNetwork }

    /// Published ports need a network, whose absence is then an error.
    private var needsDefaultNetwork: Bool { Configuration.findPasst() != nil || publishedPorts?.isEmpty == false }

    private var plainConfiguration: Configuration {
        var result = Configuration()
        if let architecture { result.architecture = architecture }
        if let engine { result.engine = engine }
        result.translationTrace = trace
        if let codeCache { result.codeCache = codeCache }
        result.processor = processor
        if let cpus { result.cpus = cpus }
        if let memory { result.memory = memory }
        result.memoryGrowth = memoryGrowth
        result.mergesMemory = mergesMemory ?? false
        result.memoryPolicy = memoryPolicy == MemoryPolicy() ? nil : memoryPolicy
        result.kernel = kernel
        result.initrd = initrd
        result.commandLine = commandLine ?? ""
        result.firmware = firmware
        result.flash = flash ?? []
        result.disks = disks ?? []
        result.networkCards = networks ?? (needsDefaultNetwork ? [NetworkCard(network: .user)] : [])
        result.publishedPorts = publishedPorts ?? []
        result.allowedEgress = allowedEgress ?? []
        result.shares = shares ?? []
        if let directory = getenv("TMPDIR").map({ String(cString: $0) }), directory.hasPrefix("/") {
            result.scratchDirectories.insert(directory, at: 0)
        }
        result.transport = transport
        result.interrupts = interrupts
        if let console { result.console = console }
        result.sockets = sockets
        if let watchdog { result.watchdog = watchdog }
        result.hasControlPort = controlPort ?? false
        result.restartsOnReset = !(noReboot ?? false)
        return result
    }
}
