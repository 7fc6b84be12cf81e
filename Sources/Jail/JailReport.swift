/// The layers of a jail: which of them stand, and why the others do not.
package struct JailReport: Equatable, Sendable {
    /// A layer that does not stand.
    package struct Gap: Equatable, Sendable {
        package let layer: JailLayer
        package let reason: String
    }

    /// In the order of `JailLayer.allCases`.
    package private(set) var gaps: [Gap] = []

    package init() {}

    /// Notes that a layer does not stand. The first reason counts.
    mutating func add(_ layer: JailLayer, _ reason: String) {
        guard !gaps.contains(where: { $0.layer == layer }) else { return }
        gaps.append(Gap(layer: layer, reason: reason))
        gaps.sort { Self.position($0.layer) < Self.position($1.layer) }
    }

    private static func position(_ layer: JailLayer) -> Int {
        JailLayer.allCases.firstIndex(of: layer) ?? JailLayer.allCases.count
    }

    /// Why a layer does not stand; nil when it does.
    package func reason(for layer: JailLayer) -> String? { gaps.first { $0.layer == layer }?.reason }

    /// The gaps in words, for one line; empty without gaps.
    package var summary: String { gaps.map { "no \($0.layer.noun) (\($0.reason))" }.joined(separator: ", ") }
}

extension JailLayer {
    /// The layer's name after the word "no".
    fileprivate var noun: String {
        switch self {
        case .capabilities: "dropping of capabilities"
        case .newPrivileges: "ban on new privileges"
        default: rawValue
        }
    }
}

// MARK: Through a pipe

extension JailReport {
    /// One line for each gap: the layer's number, a space, and the reason.
    var encoded: [UInt8] {
        Array(gaps.map { "\(Self.position($0.layer)) \($0.reason)\n" }.joined().utf8)
    }

    /// - Returns: nil for bytes that `encoded` does not make.
    init?(encoded bytes: [UInt8]) {
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            let parts = line.split(separator: UInt8(ascii: " "), maxSplits: 1)
            guard parts.count == 2, let number = Int(String(decoding: parts[0], as: UTF8.self)),
                JailLayer.allCases.indices.contains(number)
            else { return nil }
            add(JailLayer.allCases[number], String(decoding: parts[1], as: UTF8.self))
        }
    }
}
