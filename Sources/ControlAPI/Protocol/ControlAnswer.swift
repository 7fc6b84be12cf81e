package import Aerie

/// The answer to a request over a control socket.
package enum ControlAnswer: Equatable, Sendable {
    case result(JSONValue)
    case failure(AerieError)

    /// The line of the answer to request `id`, with its end.
    package func line(_ id: Int) -> [UInt8] {
        let body: (String, JSONValue) =
            switch self {
            case .result(let value): ("result", value)
            case .failure(let error): ("error", error.json)
            }
        return JSONValue.object(["id": JSONValue(id), body.0: body.1]).text + [0x0A]
    }

    /// Reads a line without its end: the request's number, and the answer.
    package static func read(_ line: [UInt8]) -> (id: Int, answer: ControlAnswer)? {
        guard let value = try? JSONValue(parsing: line), let id = value["id"]?.integer else { return nil }
        if let error = value["error"].flatMap({ AerieError(json: $0) }) { return (id, .failure(error)) }
        return value["result"].map { (id, .result($0)) }
    }
}

extension AerieError {
    package var json: JSONValue {
        .object([
            "category": JSONValue(category.rawValue), "asked": .string(asked), "found": .string(found),
            "advice": .string(advice),
        ])
    }

    package init?(json: JSONValue) {
        guard let number = json["category"]?.integer, let raw = Int32(exactly: number),
            let category = Category(rawValue: raw), let asked = json["asked"]?.string, let found = json["found"]?.string
        else { return nil }
        self.init(category, asked: asked, found: found, advice: json["advice"]?.string ?? "")
    }
}
