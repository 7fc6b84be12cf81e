/// What becomes of a machine that ends without being asked to.
package enum RestartPolicy: Equatable, Sendable, CustomStringConvertible {
    case no
    /// It starts again after an end with a code other than 0, at most so many times without a success between; nil for no limit.
    case onFailure(limit: Int?)
    /// It starts again after each end.
    case always

    /// Parses `no`, `on-failure[:N]` or `always`; nil for another text.
    package init?(_ text: String) {
        switch text {
        case "no": self = .no
        case "always", "unless-stopped": self = .always
        case "on-failure": self = .onFailure(limit: nil)
        default:
            guard text.hasPrefix("on-failure:"), let limit = Int(text.dropFirst(11)), (1...1_000_000).contains(limit)
            else { return nil }
            self = .onFailure(limit: limit)
        }
    }

    package var description: String {
        switch self {
        case .no: "no"
        case .onFailure(nil): "on-failure"
        case .onFailure(let limit?): "on-failure:\(limit)"
        case .always: "always"
        }
    }
}

extension RestartPolicy: Codable {
    package init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let policy = RestartPolicy(text) else {
            throw DecodingError.dataCorrupted(
                DecodingError.Context(
                    codingPath: decoder.codingPath, debugDescription: "'\(text)' is not a valid restart policy"))
        }
        self = policy
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
