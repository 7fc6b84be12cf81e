internal import Aerie
internal import ControlAPI

extension MachineChanges {
    /// The changes as `aerie inspect` shows them: sizes in bytes, disks and cards by their numbers, null for no limit.
    var json: JSONValue {
        get throws {
            var pairs: [String: JSONValue] = [:]
            if let memory { pairs["memory"] = JSONValue(memory.bytes) }
            if let memoryPolicy { pairs["memoryPolicy"] = try JSONValue(encoding: memoryPolicy) }
            if let cpuWeight { pairs["cpuWeight"] = JSONValue(cpuWeight) }
            switch cpuLimit {
            case nil: break
            case .some(.none): pairs["cpuLimit"] = .null
            case .some(.percent(let percent)): pairs["cpuLimit"] = JSONValue(percent)
            }
            if let processors { pairs["processors"] = .array(processors.sorted().map { JSONValue($0) }) }
            if !disks.isEmpty {
                pairs["disks"] = Self.object(disks) {
                    ["size": $0.size.map { JSONValue($0.bytes) }, "rate": $0.rate?.json]
                }
            }
            if !networkCards.isEmpty {
                pairs["networkCards"] = Self.object(networkCards) {
                    ["isUp": $0.isUp.map { .boolean($0) }, "rate": $0.rate?.json]
                }
            }
            return .object(pairs)
        }
    }

    private static func object<Change>(
        _ changes: [Int: Change], _ body: (Change) -> [String: JSONValue?]
    ) -> JSONValue {
        .object(
            Dictionary(
                uniqueKeysWithValues: changes.map { ("\($0.key)", .object(body($0.value).compactMapValues { $0 })) }))
    }
}

extension RateLimit {
    /// A limit that there is not is null.
    fileprivate var json: JSONValue {
        .object([
            "bytes": bytes.map { JSONValue($0.bytes) } ?? .null,
            "operations": operations.map { JSONValue($0) } ?? .null,
        ])
    }
}
