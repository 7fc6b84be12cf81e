extension ServiceReader {
    func dependencies(_ node: ComposeNode) throws(ComposeError) -> [ComposeDependency] {
        if node.isList {
            return try node.list().map { (element) throws(ComposeError) in
                ComposeDependency(service: try element.text(), condition: .started, place: element.place)
            }
        }
        return try node.mapping().map { (entry) throws(ComposeError) in
            var condition = ComposeDependency.Condition.started
            for field in try entry.value.mapping() {
                switch field.key {
                case "condition": condition = try self.condition(field.value)
                case "required": try field.value.expectTrue("a service that is missing is an error")
                case "restart":
                    guard try !field.value.flag() else {
                        throw field.value.error("true is not supported", "leave it out")
                    }
                default: throw field.unsupported()
                }
            }
            return ComposeDependency(service: entry.key, condition: condition, place: entry.place)
        }
    }

    private func condition(_ node: ComposeNode) throws(ComposeError) -> ComposeDependency.Condition {
        let text = try node.text()
        if let condition = ComposeDependency.Condition(rawValue: text) { return condition }
        throw node.error(
            "'\(text)' is not a valid condition",
            "use one of \(ComposeDependency.Condition.allCases.map(\.rawValue).joined(separator: ", "))")
    }

    func restart(_ node: ComposeNode) throws(ComposeError) -> String {
        let text = try node.text()
        switch text {
        case "no", "always", "on-failure": return text
        // A machine that a user has stopped stays so under both policies.
        case "unless-stopped": return "always"
        default: break
        }
        if text.hasPrefix("on-failure:"), let limit = Int(text.dropFirst(11)), (1...1_000_000).contains(limit) {
            return text
        }
        throw node.error(
            "'\(text)' is not a restart policy", "use no, on-failure, on-failure:N, always or unless-stopped")
    }

    func seconds(_ node: ComposeNode) throws(ComposeError) -> String {
        let text = try node.text()
        if let seconds = DurationText.seconds(text) { return "\(seconds)" }
        throw node.error("'\(text)' is not a valid duration", "use a form such as 30s or 1m30s")
    }

    func labels(_ node: ComposeNode) throws(ComposeError) -> [String: String] {
        var result: [String: String] = [:]
        for (key, value, place) in try node.pairs() {
            guard !key.isEmpty, !key.hasPrefix("aerie.") else {
                throw ComposeError(
                    place, "'\(key)' is not a valid label", "labels that begin with 'aerie.' are aerie's")
            }
            result[key] = value ?? ""
        }
        return result
    }

    // MARK: Health

    mutating func readHealthCheck(_ node: ComposeNode) throws(ComposeError) {
        var words: [String]?
        var isDisabled = false
        var check = ComposeHealthCheck(command: [])
        for field in try node.mapping() where !field.key.hasPrefix("x-") {
            switch field.key {
            case "test": words = try testWords(field.value)
            case "disable": isDisabled = try field.value.flag()
            case "interval": check.interval = try nanoseconds(field.value, atLeast: 1_000_000)
            case "timeout": check.timeout = try nanoseconds(field.value, atLeast: 1_000_000)
            case "start_period": check.startPeriod = try nanoseconds(field.value, atLeast: 0)
            case "retries":
                let text = try field.value.text()
                guard let retries = Int(text), (1...1000).contains(retries) else {
                    throw field.value.error("'\(text)' is not a number from 1 to 1000", "choose a number in this range")
                }
                check.retries = retries
            default: throw field.unsupported()
            }
        }
        if isDisabled || words == [] { return }
        guard let words else { throw node.error("it has no 'test'", "add one, such as 'test: [CMD, true]'") }
        check.command = words
        service.healthCheck = check
    }

    private func nanoseconds(_ node: ComposeNode, atLeast minimum: Int) throws(ComposeError) -> Int {
        let text = try node.text()
        if let value = DurationText.nanoseconds(text), value >= minimum { return value }
        throw node.error("'\(text)' is not a valid duration", "use a form such as 30s or 1m30s")
    }

    /// The command of a test; empty for none.
    private func testWords(_ node: ComposeNode) throws(ComposeError) -> [String] {
        guard node.isList else { return ["/bin/sh", "-c", try node.text()] }
        let words = try node.texts()
        switch words.first {
        case "NONE" where words.count == 1: return []
        case "CMD" where words.count > 1: return Array(words.dropFirst())
        case "CMD-SHELL" where words.count == 2: return ["/bin/sh", "-c", words[1]]
        default:
            throw node.error(
                "the test has an unknown form", "use [CMD, PROGRAM, ARGUMENT…], [CMD-SHELL, TEXT], [NONE] or a text")
        }
    }
}
