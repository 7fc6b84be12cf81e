/// Why a saved state was refused.
package enum SavedStateError: Error, Equatable, CustomStringConvertible {
    case notAState
    case unknownFormat(UInt32)
    case truncated
    case tooLarge(bytes: UInt64, limit: UInt64)
    case damaged
    case wrongKind(found: String, expected: String)
    case unknownVersion(kind: String, found: UInt32, known: ClosedRange<UInt32>)
    case missingField(kind: String, field: String)
    case badField(kind: String, field: String)
    /// `name`, which the state refers to, is not what it was when the state was saved, as `difference` says.
    case changed(name: String, difference: String)
    /// The part `name` of a machine cannot be saved now, for `reason`.
    case cannotSave(name: String, reason: String)
    /// The part `name` of a machine cannot take its state over on this host, for `reason`.
    case cannotRestore(name: String, reason: String)

    package var description: String {
        switch self {
        case .notAState: "this is not a saved state of Aerie"
        case .unknownFormat(let version): "format \(version) is not known to this version of Aerie"
        case .truncated: "the data ends too early"
        case .tooLarge(let bytes, let limit): "\(bytes) bytes are more than the \(limit) allowed"
        case .damaged: "the checksum does not match; the data is damaged"
        case .wrongKind(let found, let expected): "found the state of '\(found)' where '\(expected)' belongs"
        case .unknownVersion(let kind, let found, let known):
            "version \(found) of '\(kind)' is not known (known: \(known.lowerBound) to \(known.upperBound))"
        case .missingField(let kind, let field): "'\(kind)' lacks the field '\(field)'"
        case .badField(let kind, let field): "'\(kind)' has a bad value in the field '\(field)'"
        case .changed(let name, let difference):
            "\(name) is not as it was when the machine was saved: \(difference)"
        case .cannotSave(let name, let reason): "\(name) cannot be saved: \(reason)"
        case .cannotRestore(let name, let reason): "\(name) cannot be restored: \(reason)"
        }
    }
}
