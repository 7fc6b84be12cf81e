internal import Machine

/// The host side of an unconnected character device: no input, and output is discarded.
final class UnconnectedChannel: CharacterChannel {
    func read(limit: Int) -> [UInt8] { [] }
    func write(_ bytes: [UInt8]) -> Int { bytes.count }
    func setHandler(_ handler: (@Sendable () -> Void)?) {}
    var windowSize: (columns: UInt16, rows: UInt16)? { nil }
}
