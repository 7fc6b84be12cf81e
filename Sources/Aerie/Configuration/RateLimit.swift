internal import VirtioDevices

/// How much a disk or a network card may do in a second.
///
/// A tenth of a second's worth can be saved up. A request larger than that passes, and those after it wait longer.
public struct RateLimit: Codable, Equatable, Sendable {
    /// The valid numbers of bytes in a second.
    public static let byteRange = ByteSize(bytes: 1024)...ByteSize.mebibytes(1 << 20)
    /// The valid numbers of operations in a second.
    public static let operationRange = 1...1_000_000_000

    /// Bytes of data in a second: in `byteRange`, 1K to 1024G; nil for no limit.
    public var bytes: ByteSize?
    /// Requests of a disk, or frames of a card, in a second: in `operationRange`; nil for no limit.
    public var operations: Int?

    /// A limit of bytes, of operations, or of both.
    public init(bytes: ByteSize? = nil, operations: Int? = nil) {
        self.bytes = bytes
        self.operations = operations
    }

    /// Reads one of the two limits: `10M`, or a number and `unit`.
    ///
    /// - Returns: false if `text` is neither.
    mutating func read(_ text: String, unit: String) -> Bool {
        if text.hasSuffix(unit), let number = Int(text.dropLast(unit.count)) {
            operations = number
        } else if let size = ByteSize(text) {
            bytes = size
        } else {
            return false
        }
        return true
    }

    /// Reads limits such as `10M`, `500iops` or `10M,500iops`; `none` is no limit. Nil for another text.
    ///
    /// - Parameter unit: of operations: `iops` or `pps`.
    package init?(_ text: String, unit: String) {
        self.init()
        if text == "none" { return }
        for part in text.split(separator: Character(","), omittingEmptySubsequences: false) {
            guard read(String(part), unit: unit) else { return nil }
        }
    }

    /// - Parameter asked: names the disk or the card.
    func validate(_ asked: String) throws(AerieError) {
        if let bytes, !Self.byteRange.contains(bytes) {
            throw AerieError(
                .usage, asked: asked, found: "a rate is 1K to 1024G bytes in a second",
                advice: "choose a rate in this range")
        }
        if let operations, !Self.operationRange.contains(operations) {
            throw AerieError(
                .usage, asked: asked, found: "a rate is 1 to 1000000000 operations in a second",
                advice: "choose a rate in this range")
        }
    }

    var deviceRate: DeviceRate { DeviceRate(bytes: bytes?.bytes, operations: operations.map(UInt64.init)) }
}
