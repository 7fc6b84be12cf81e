extension ServiceReader {
    /// A command as a list of words, or as a text that is split into words.
    func words(_ node: ComposeNode) throws(ComposeError) -> [String] {
        let words: [String]
        if node.isList {
            words = try node.texts()
        } else {
            let text = try node.text()
            guard let split = ShellWords.split(text) else {
                throw node.error(
                    "a quotation mark has no partner, or a backslash ends the command", "write the command as a list")
            }
            words = split
        }
        for word in words { try checkText(word, node.place) }
        return words
    }

    /// Words reach the guest with a zero byte behind each.
    private func checkText(_ text: String, _ place: ComposePlace) throws(ComposeError) {
        if text.utf8.contains(0) { throw ComposeError(place, "a text has a zero byte", "leave it out") }
    }

    func environment(_ node: ComposeNode) throws(ComposeError) -> [GuestCommand.Variable] {
        var result: [GuestCommand.Variable] = []
        for (key, value, place) in try node.pairs() {
            try check(variable: key, place)
            // A variable without a value is the one of the caller's environment, where it has one.
            guard let value = value ?? node.variables[key] else { continue }
            try checkText(value, place)
            result.removeAll { $0.key == key }
            result.append(GuestCommand.Variable(key, value))
        }
        return result
    }

    private func check(variable name: String, _ place: ComposePlace) throws(ComposeError) {
        guard EnvironmentFile.isName(name) else {
            throw ComposeError(
                place, "'\(name)' is not the name of a variable",
                "use letters, digits and '_', with a letter or '_' first")
        }
    }

    /// Files of variables; the last one that has a variable wins.
    func environmentFiles(_ node: ComposeNode) throws(ComposeError) -> [GuestCommand.Variable] {
        var all: [String: String] = [:]
        for element in node.isList ? try node.list() : [node] {
            var path: String?
            var isRequired = true
            if element.isMapping {
                for field in try element.mapping() {
                    switch field.key {
                    case "path": path = try field.value.text()
                    case "required": isRequired = try field.value.flag()
                    default: throw field.unsupported()
                    }
                }
            } else {
                path = try element.text()
            }
            guard let path, !path.isEmpty else { throw element.error("the path is missing", "write 'path: FILE'") }
            let text: String
            do throws(ComposeReader.FileObstacle) {
                text = try reader.readFile(path)
            } catch {
                if error.isMissing, !isRequired { continue }
                throw element.error("the file '\(path)' cannot be read: \(error.text)", "correct the path")
            }
            let found = try reader.environmentFile(text, path, outer: node.variables)
            all.merge(found) { _, new in new }
        }
        for value in all.values { try checkText(value, node.place) }
        return all.sorted { $0.key < $1.key }.map { GuestCommand.Variable($0.key, $0.value) }
    }

    func directory(_ node: ComposeNode) throws(ComposeError) -> String {
        let path = try node.text()
        guard path.hasPrefix("/") else {
            throw node.error("'\(path)' is not an absolute path in the guest", "begin it with '/'")
        }
        try checkText(path, node.place)
        return path
    }

    func user(_ node: ComposeNode) throws(ComposeError) -> GuestCommand.User {
        let text = try node.text()
        if let user = GuestCommand.User(text) { return user }
        throw node.error("'\(text)' is not a valid user", "use NAME, NAME:GROUP, UID or UID:GID")
    }
}
