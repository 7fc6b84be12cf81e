package import Aerie
internal import HostSystem

/// The settings by the names that the command line and a file give them.
package enum RunSetting: String, CaseIterable, Sendable {
    case image, command, arch, engine, trace, cpu, cpus, memory, kernel, initrd, append, firmware, flash, disk, overlay,
        network, publish, share, transport, interrupts, console, watchdog, vsock, merge
    case maxMemory = "max-memory"
    case memoryPolicy = "memory-policy"
    case allowEgress = "allow-egress"
    case diskSize = "disk-size"
    case codeCache = "code-cache"
    case readOnly = "read-only"
    case noReboot = "no-reboot"
    case controlPort = "control-port"
    case requireJail = "require-jail"
    case stopTimeout = "stop-timeout"
    case logLevel = "log-level"
    case logFile = "log-file"

    /// What its value looks like.
    package enum Kind: Sendable {
        case text, number, flag
        /// Any number of texts.
        case list
    }

    package var kind: Kind {
        switch self {
        case .cpus, .stopTimeout: .number
        case .readOnly, .noReboot, .controlPort, .requireJail, .merge: .flag
        case .command, .flash, .disk, .network, .publish, .share, .allowEgress: .list
        default: .text
        }
    }
}

extension RunSettings {
    private static let stopTimeoutRange = 0...86_400

    /// Takes a value over as it is typed; one more element for a list. `asked` names where the value stands.
    package mutating func set(_ setting: RunSetting, to text: String, asked: String) throws(AerieError) {
        switch setting {
        case .image: image = text
        case .command: command = (command ?? []) + [text]
        case .arch: architecture = try Self.choice(text, asked: asked)
        case .engine: engine = try Self.choice(text, asked: asked)
        case .trace: trace = text
        case .codeCache: codeCache = try Self.size(text, asked: asked, in: Configuration.codeCacheRange)
        case .cpu: processor = try Processor(option: text)
        case .cpus: cpus = try Self.integer(text, asked: asked, in: Configuration.cpuRange)
        case .memory: memory = try Self.size(text, asked: asked, in: Configuration.memoryRange)
        case .maxMemory: memoryGrowth = try MemoryGrowth(option: text)
        case .memoryPolicy: memoryPolicy = try MemoryPolicy(option: text)
        case .kernel: kernel = text
        case .initrd: initrd = text
        case .append: commandLine = text
        case .firmware: firmware = text
        case .flash: flash = (flash ?? []) + [try FlashFile(option: text)]
        case .disk: disks = (disks ?? []) + [try Disk(option: text)]
        case .overlay: overlay = text
        case .diskSize: diskSize = try Self.diskSize(text, asked: asked)
        case .network: networks = try Self.networks(networks, adding: text)
        case .publish: publishedPorts = (publishedPorts ?? []) + [try PublishedPort(option: text)]
        case .share: shares = (shares ?? []) + [try Share(option: text)]
        case .allowEgress: allowedEgress = (allowedEgress ?? []) + [text]
        case .transport: transport = try Self.choice(text, asked: asked)
        case .interrupts: interrupts = try Self.choice(text, asked: asked)
        case .console: console = try Self.choice(text, asked: asked)
        case .vsock: sockets = try SocketSettings(option: text)
        case .watchdog: watchdog = try Self.choice(text, asked: asked)
        case .stopTimeout: stopTimeout = try Self.integer(text, asked: asked, in: Self.stopTimeoutRange)
        case .logLevel: logLevel = try Self.choice(text, asked: asked)
        case .logFile: logFile = text
        case .readOnly, .noReboot, .controlPort, .requireJail, .merge: preconditionFailure("a flag has no text")
        }
    }

    /// Sets a flag.
    package mutating func set(_ setting: RunSetting, to value: Bool) {
        switch setting {
        case .readOnly: readOnly = value
        case .noReboot: noReboot = value
        case .controlPort: controlPort = value
        case .merge: mergesMemory = value
        case .requireJail: requireJail = value
        default: preconditionFailure("\(setting.rawValue) is not a flag")
        }
    }

    /// `none` stands alone, and is a list without cards.
    private static func networks(_ cards: [NetworkCard]?, adding text: String) throws(AerieError) -> [NetworkCard] {
        if text == "none", cards == nil { return [] }
        guard text != "none", cards?.isEmpty != true else {
            throw AerieError(
                .usage, asked: "--network none", found: "another network is given, too", advice: "leave one out")
        }
        return (cards ?? []) + [try NetworkCard(option: text)]
    }

    private static func choice<Value: RawRepresentable & CaseIterable>(
        _ text: String, asked: String
    ) throws(AerieError) -> Value where Value.RawValue == String {
        if let value = Value(rawValue: text) { return value }
        let known = Value.allCases.map(\.rawValue).joined(separator: ", ")
        throw AerieError(.usage, asked: asked, found: "'\(text)' is not known", advice: "use one of \(known)")
    }

    /// Reads a number of bytes.
    ///
    /// - Parameters:
    ///   - asked: names the option.
    ///   - range: for the message; a size outside of it is refused later, with the other settings.
    package static func size(
        _ text: String, asked: String, in range: ClosedRange<ByteSize>? = nil
    ) throws(AerieError) -> ByteSize {
        if let size = ByteSize(text) { return size }
        let limits = range.map { ", from \($0.lowerBound) to \($0.upperBound)" } ?? ""
        throw AerieError(
            .usage, asked: asked, found: "'\(text)' is not a valid size",
            advice: "use a whole number with K, M or G\(limits), such as 512M")
    }

    private static func diskSize(_ text: String, asked: String) throws(AerieError) -> ByteSize {
        let size = try size(text, asked: asked)
        if size.bytes % 4096 == 0 { return size }
        throw AerieError(
            .usage, asked: asked, found: "'\(text)' is not whole blocks of 4K", advice: "choose a multiple of 4K")
    }

    private static func integer(_ text: String, asked: String, in range: ClosedRange<Int>) throws(AerieError) -> Int {
        if let value = Int(text), range.contains(value) { return value }
        throw AerieError(
            .usage, asked: asked, found: "'\(text)' is not a number from \(range.lowerBound) to \(range.upperBound)",
            advice: "choose a number in this range")
    }
}
