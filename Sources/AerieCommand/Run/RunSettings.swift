internal import Aerie

/// What a user says about a guest to run, on the command line or in a file; nil where nothing is said.
struct RunSettings: Equatable {
    var image: String?
    /// What to run in the image instead of a shell.
    var command: [String]?
    var architecture: Configuration.Architecture?
    var engine: Configuration.Engine?
    var trace: String?
    var cpus: Int?
    var memory: ByteSize?
    var kernel: String?
    var initrd: String?
    var commandLine: String?
    var firmware: String?
    var disks: [Disk]?
    var transport: Configuration.Transport?
    var console: Configuration.Console?
    var readOnly: Bool?
    var noReboot: Bool?
    /// Seconds.
    var stopTimeout: Int?

    /// These settings, and where they say nothing, the others.
    func over(_ other: RunSettings) -> RunSettings {
        RunSettings(
            image: image ?? other.image,
            command: command ?? other.command,
            architecture: architecture ?? other.architecture,
            engine: engine ?? other.engine,
            trace: trace ?? other.trace,
            cpus: cpus ?? other.cpus,
            memory: memory ?? other.memory,
            kernel: kernel ?? other.kernel,
            initrd: initrd ?? other.initrd,
            commandLine: commandLine ?? other.commandLine,
            firmware: firmware ?? other.firmware,
            disks: disks ?? other.disks,
            transport: transport ?? other.transport,
            console: console ?? other.console,
            readOnly: readOnly ?? other.readOnly,
            noReboot: noReboot ?? other.noReboot,
            stopTimeout: stopTimeout ?? other.stopTimeout)
    }

    /// The machine without an image.
    var configuration: Configuration {
        var result = Configuration()
        if let architecture { result.architecture = architecture }
        if let engine { result.engine = engine }
        result.translationTrace = trace
        if let cpus { result.cpus = cpus }
        if let memory { result.memory = memory }
        result.kernel = kernel
        result.initrd = initrd
        result.commandLine = commandLine ?? ""
        result.firmware = firmware
        result.disks = disks ?? []
        result.transport = transport
        if let console { result.console = console }
        result.restartsOnReset = !(noReboot ?? false)
        return result
    }
}

/// The readings of values that the command line and a file share. `asked` names where a value stands.
enum SettingValue {
    static func choice<Value: RawRepresentable & CaseIterable>(
        _ text: String, asked: String
    ) throws(AerieError) -> Value where Value.RawValue == String {
        if let value = Value(rawValue: text) { return value }
        let known = Value.allCases.map(\.rawValue).joined(separator: ", ")
        throw AerieError(.usage, asked: asked, found: "'\(text)' is not known", advice: "use one of \(known)")
    }

    static func size(_ text: String, asked: String) throws(AerieError) -> ByteSize {
        if let size = ByteSize(text) { return size }
        throw AerieError(
            .usage, asked: asked, found: "'\(text)' is no size",
            advice: "use a whole number with K, M or G, such as 512M")
    }

    static func integer(_ text: String, asked: String, in range: ClosedRange<Int>) throws(AerieError) -> Int {
        if let value = Int(text), range.contains(value) { return value }
        throw AerieError(
            .usage, asked: asked, found: "'\(text)' is no number from \(range.lowerBound) to \(range.upperBound)",
            advice: "choose one")
    }

    static let stopTimeoutRange = 0...86_400
}
