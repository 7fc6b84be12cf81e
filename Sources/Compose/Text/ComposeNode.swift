internal import Yams

/// A value of a project file with its place.
struct ComposeNode {
    /// An entry of a mapping.
    struct Entry {
        let key: String
        let value: ComposeNode

        var place: ComposePlace { value.place }

        /// The refusal of a field that nobody reads.
        func unsupported() -> ComposeError {
            ComposeError(
                place, "the field is not supported",
                FieldAdvice.texts[key] ?? "leave it out, or name it 'x-\(key)' to have it ignored")
        }
    }

    private static let mostEntries = 1000

    private let node: Node
    let place: ComposePlace
    private let context: ComposeContext

    /// Reads a whole file.
    init(yaml: String, file: String, context: ComposeContext) throws(ComposeError) {
        place = ComposePlace(file: file, line: nil, path: "")
        self.context = context
        func failure(_ found: String, _ line: Int?) -> ComposeError {
            ComposeError(ComposePlace(file: file, line: line, path: ""), found, "correct the YAML")
        }
        let root: Node?
        do {
            root = try compose(yaml: yaml)
        } catch let error as YamlError {
            switch error {
            case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
                .composer(_, let problem, let mark, _):
                throw failure(problem, mark.line)
            case .duplicatedKeysInMapping(let keys, let mark):
                throw failure("key '\(keys.first ?? "")' stands for the second time", mark.mark.line)
            case .reader(let problem, _, _, _): throw failure(problem, nil)
            default: throw failure("\(error)", nil)
            }
        } catch {
            throw failure("\(error)", nil)
        }
        guard let root else { throw failure("the file is empty", nil) }
        node = root
    }

    private init(_ node: Node, _ place: ComposePlace, _ context: ComposeContext) {
        self.node = node
        self.place = place
        self.context = context
    }

    /// Whether there is no value: `key:`, `key: null` or `key: ~`.
    var isNull: Bool { node.null != nil }

    var isList: Bool { node.sequence != nil }

    var isMapping: Bool { node.mapping != nil }

    /// Variables with their values.
    var variables: [String: String] { context.variables }

    /// An error about this value.
    func error(_ found: String, _ advice: String = "") -> ComposeError { ComposeError(place, found, advice) }

    // MARK: Scalars

    /// A text or a number, with its variables replaced.
    func text() throws(ComposeError) -> String {
        guard let scalar = node.scalar, !isNull else {
            throw error(isNull ? "a value is missing" : "a single value is expected", "write it behind the colon")
        }
        return try context.expand(scalar.string, at: place)
    }

    /// A text or a number that may be missing.
    func optionalText() throws(ComposeError) -> String? { isNull ? nil : try text() }

    func flag() throws(ComposeError) -> Bool {
        let text = try text()
        switch text {
        case "true", "yes", "on": return true
        case "false", "no", "off": return false
        default: throw error("'\(text)' is not a valid flag", "use true or false")
        }
    }

    /// A setting that a machine always has: `true` is accepted.
    func expectTrue(_ reason: String) throws(ComposeError) {
        guard try flag() else { throw error("false is not supported: \(reason)", "leave it out") }
    }

    // MARK: Collections

    /// The elements of a list.
    func list() throws(ComposeError) -> [ComposeNode] {
        guard let sequence = node.sequence else {
            throw error("a list is expected", "write '- VALUE' on lines of their own")
        }
        guard sequence.count <= Self.mostEntries else {
            throw error("the list has \(sequence.count) elements", "use at most \(Self.mostEntries)")
        }
        return sequence.map { element in
            var place = place
            place.line = element.mark?.line ?? place.line
            return ComposeNode(element, place, context)
        }
    }

    /// The entries of a mapping in their order, with those of merge keys (`<<`). Empty for no value.
    func mapping() throws(ComposeError) -> [Entry] {
        if isNull { return [] }
        guard node.mapping != nil else {
            throw error("a mapping is expected", "write 'KEY: VALUE' on lines of their own")
        }
        return try entries(node, depth: 0)
    }

    private func entries(_ node: Node, depth: Int) throws(ComposeError) -> [Entry] {
        guard let mapping = node.mapping else {
            throw error("a merge key leads to no mapping", "name a mapping with '*'")
        }
        guard depth < 16 else { throw error("merge keys are nested too deep", "use fewer levels") }
        var found: [Entry] = []
        var merged: [Entry] = []
        for (key, value) in mapping {
            guard let name = key.scalar?.string else { throw error("a key is not a text", "write 'KEY: VALUE'") }
            let entryPlace = place.key(name, line: key.mark?.line)
            guard name == "<<" else {
                found.append(Entry(key: name, value: ComposeNode(value, entryPlace, context)))
                continue
            }
            for source in value.sequence.map(Array.init) ?? [value] { merged += try entries(source, depth: depth + 1) }
        }
        // The mapping's own entries win, then those of the first mapping that is merged.
        for entry in merged where !found.contains(where: { $0.key == entry.key }) { found.append(entry) }
        guard found.count <= Self.mostEntries else {
            throw error("the mapping has \(found.count) entries", "use at most \(Self.mostEntries)")
        }
        return found
    }

    /// A list of texts, or one text.
    func texts() throws(ComposeError) -> [String] {
        guard isList else { return [try text()] }
        return try list().map { (element) throws(ComposeError) in try element.text() }
    }

    /// `KEY=VALUE` texts or a mapping. A key without a value has nil.
    func pairs() throws(ComposeError) -> [(key: String, value: String?, place: ComposePlace)] {
        if isList {
            return try list().map { (element) throws(ComposeError) in
                let parts = try element.text().split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                return (String(parts[0]), parts.count == 2 ? String(parts[1]) : nil, element.place)
            }
        }
        return try mapping().map { (entry) throws(ComposeError) in
            (entry.key, try entry.value.optionalText(), entry.place)
        }
    }
}
