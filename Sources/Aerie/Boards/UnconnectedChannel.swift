internal import Machine

/// The host side of a character device that leads nowhere.
final class UnconnectedChannel: CharacterChannel {
    func read(limit: Int) -> [UInt8] { [] }
    func write(_ bytes: [UInt8]) -> Int { bytes.count }
    func setHandler(_ handler: (@Sendable () -> Void)?) {}
    var windowSize: (columns: UInt16, rows: UInt16)? { nil }
}
