/// A message that breaks the protocol. The session with the other end is over; nothing else is affected.
package enum ProtocolFault: Error, Equatable {
    case unknownType(UInt8)
    case reservedBits
    case length
    case stream
    case malformedRecord
    case tooManyFields
    case unknownField(UInt16)
    case repeatedField(UInt16)
    case missingField(UInt16)
    case invalidField(UInt16)
    case invalidValue

    /// One line for a person; the numbers are in the case's payload.
    package var text: StaticString {
        switch self {
        case .unknownType: "the message's type is unknown"
        case .reservedBits: "the reserved bytes of the message's header are not zero"
        case .length: "the message's length is not valid for its type"
        case .stream: "the message's stream is not valid for its type"
        case .malformedRecord: "a field reaches beyond the end of its record"
        case .tooManyFields: "the record has too many fields"
        case .unknownField: "the record has a field of an unknown tag"
        case .repeatedField: "the record has a field twice that may stand there once"
        case .missingField: "the record lacks a field"
        case .invalidField: "a field of the record has an invalid value"
        case .invalidValue: "the message has an invalid value"
        }
    }
}
