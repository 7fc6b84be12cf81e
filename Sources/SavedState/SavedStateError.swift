/// Why a state cannot be saved or restored. The description is a phrase for people.
package enum SavedStateError: Error, Equatable, CustomStringConvertible {
    /// The data does not begin with the magic number.
    case notAState
    /// The format's version is not known.
    case unknownFormat(UInt32)
    case truncated
    case tooLarge(bytes: UInt64, limit: UInt64)
    /// The checksum or the encoding is wrong.
    case damaged
    case wrongKind(found: String, expected: String)
    case unknownVersion(kind: String, found: UInt32, known: ClosedRange<UInt32>)
    case missingField(kind: String, field: String)
    case badField(kind: String, field: String)
    /// The file or device `name`, which the state refers to, has changed since the save; `difference` describes the change.
    case changed(name: String, difference: String)
    /// The machine's part `name` cannot be saved, for `reason`.
    case cannotSave(name: String, reason: String)
    /// The machine's part `name` cannot be restored on this host, for `reason`.
    case cannotRestore(name: String, reason: String)

    package var description: String {
        switch self {
        case .notAState: "this is not a saved state of Aerie"
        case .unknownFormat(let version): "format \(version) is not known to this version of Aerie"
        case .truncated: "the data ends too early"
        case .tooLarge(let bytes, let limit): "\(bytes) bytes are more than the limit of \(limit)"
        case .damaged: "the checksum does not match; the data is damaged"
        case .wrongKind(let found, let expected): "found a state of kind '\(found)' instead of '\(expected)'"
        case .unknownVersion(let kind, let found, let known):
            "version \(found) of '\(kind)' is not known (known: \(known.lowerBound) to \(known.upperBound))"
        case .missingField(let kind, let field): "'\(kind)' lacks the field '\(field)'"
        case .badField(let kind, let field): "'\(kind)' has an invalid value in the field '\(field)'"
        case .changed(let name, let difference):
            "\(name) has changed since the machine was saved: \(difference)"
        case .cannotSave(let name, let reason): "\(name) cannot be saved: \(reason)"
        case .cannotRestore(let name, let reason): "\(name) cannot be restored: \(reason)"
        }
    }
}
