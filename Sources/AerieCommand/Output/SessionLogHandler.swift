internal import HostSystem
internal import Logging
internal import MachineSession

/// Sends the messages of swift-log, which the control side and its libraries use, to the log of the machine's session.
struct SessionLogHandler: LogHandler {
    private let log: SessionLog
    private let label: String
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level

    init(label: String, log: SessionLog) {
        self.label = label
        self.log = log
        logLevel = Self.level(log.level)
    }

    /// Makes the session's log the one of the process. Once.
    static func install(_ log: SessionLog) {
        LoggingSystem.bootstrap { SessionLogHandler(label: $0, log: log) }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { $1 }
        let values = all.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
        log.note(Self.level(event.level), label, "\(event.message)\(values)")
    }

    private static func level(_ level: Logger.Level) -> LogLevel {
        switch level {
        case .trace, .debug: .debug
        case .info, .notice: .info
        case .warning: .warning
        case .error, .critical: .error
        }
    }

    private static func level(_ level: LogLevel) -> Logger.Level {
        switch level {
        case .error: .error
        case .warning: .warning
        case .info: .info
        case .debug: .debug
        }
    }
}
