internal import Aerie

/// A condition of `aerie ps --filter`, as KEY=VALUE. Filters of different keys must all hold; of several with one key, one is enough.
struct MachineFilter {
    private enum Key: String, CaseIterable {
        case id, name, state, status, image, label, health
    }

    private let key: Key
    private let value: String

    /// - Throws: `usage` for an unknown key.
    init(_ text: String) throws(AerieError) {
        let pair = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard pair.count == 2, let key = Key(rawValue: pair[0]) else {
            throw AerieError(
                .usage, asked: "--filter \(text)", found: "it is not a condition",
                advice: "use KEY=VALUE with one of id, name, state, image, label, health")
        }
        self.key = key == .status ? .state : key
        value = pair[1]
    }

    static func all(_ filters: [MachineFilter], hold listing: MachineListing) -> Bool {
        Key.allCases.allSatisfy { key in
            let conditions = filters.filter { $0.key == key }
            return conditions.isEmpty || conditions.contains { $0.holds(for: listing) }
        }
    }

    private func holds(for listing: MachineListing) -> Bool {
        switch key {
        case .id: listing.id.hasPrefix(value)
        case .name: listing.name.contains(value)
        case .state, .status: listing.state == value
        case .health: listing.health == value
        case .label:
            // A key alone is enough.
            listing.labels[value] != nil
                || listing.labels.contains { key, text in value == "\(key)=\(text)" }
        case .image: listing.image.map { $0 == value || $0.hasPrefix("\(value):") } ?? false
        }
    }
}
