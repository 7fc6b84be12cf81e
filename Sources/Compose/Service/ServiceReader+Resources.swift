extension ServiceReader {
    /// Memory as compose writes it (`512m`, `1gb`, `268435456b`) or as aerie does (`512M`).
    func memory(_ node: ComposeNode) throws(ComposeError) -> String {
        let text = try node.text()
        var size = Substring(text.uppercased())
        if size.hasSuffix("B") { size = size.dropLast() }
        let digits = size.hasSuffix("K") || size.hasSuffix("M") || size.hasSuffix("G") ? size.dropLast() : size
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            throw node.error("'\(text)' is not a valid size", "use a whole number with K, M or G, such as 512M")
        }
        return String(size)
    }

    /// The limits of `deploy`, which older files have; everything else there is about clusters.
    mutating func readDeployment(_ node: ComposeNode) throws(ComposeError) {
        for field in try node.mapping() where !field.key.hasPrefix("x-") {
            guard field.key == "resources" else { throw field.unsupported() }
            for resource in try field.value.mapping() {
                guard resource.key == "limits" else { throw resource.unsupported() }
                for limit in try resource.value.mapping() {
                    switch limit.key {
                    case "cpus": try add("cpus", limit.value.text(), limit.place)
                    case "memory": try add("memory", memory(limit.value), limit.place)
                    default: throw limit.unsupported()
                    }
                }
            }
        }
    }

    func architecture(_ node: ComposeNode) throws(ComposeError) -> String {
        let text = try node.text()
        switch text {
        case "linux/riscv64", "riscv64": return "riscv64"
        case "linux/amd64", "linux/x86_64", "amd64": return "x86_64"
        default: throw node.error("'\(text)' is not a known platform", "use linux/riscv64 or linux/amd64")
        }
    }

    // MARK: Volumes

    /// Directories of the host that the guest mounts.
    mutating func readVolumes(_ node: ComposeNode) throws(ComposeError) {
        for element in try node.list() {
            let text = element.isMapping ? try longVolume(element) : try shortVolume(element)
            try add("share", text, element.place)
        }
    }

    private func shortVolume(_ node: ComposeNode) throws(ComposeError) -> String {
        let text = try node.text()
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard (2...3).contains(parts.count), !parts[0].isEmpty, !parts[1].isEmpty else {
            throw node.error("'\(text)' is not a shared directory", "use HOSTDIR:GUESTDIR[:ro]")
        }
        guard parts[0].hasPrefix("/") || parts[0].hasPrefix(".") || parts[0].hasPrefix("~") else {
            throw node.error(
                "'\(parts[0])' is a named volume, which is not supported",
                "share a directory ('./\(parts[0]):\(parts[1])'), or give a disk with 'disk'")
        }
        let mode = parts.count == 3 ? parts[2] : "rw"
        guard mode == "ro" || mode == "rw" else {
            throw node.error("the mode '\(mode)' is not supported", "use ro or rw")
        }
        return try share(parts[0], parts[1], isReadOnly: mode == "ro", node)
    }

    private func longVolume(_ node: ComposeNode) throws(ComposeError) -> String {
        var source: String?
        var target: String?
        var isReadOnly = false
        for field in try node.mapping() {
            switch field.key {
            case "type":
                let type = try field.value.text()
                guard type == "bind" else { throw field.value.error("the type '\(type)' is not supported", "use bind") }
            case "source": source = try field.value.text()
            case "target": target = try field.value.text()
            case "read_only": isReadOnly = try field.value.flag()
            default: throw field.unsupported()
            }
        }
        guard let source, let target else { throw node.error("'source' or 'target' is missing", "write both") }
        return try share(source, target, isReadOnly: isReadOnly, node)
    }

    /// The text of `--share`, in which a comma of a name is written twice.
    private func share(
        _ source: String, _ target: String, isReadOnly: Bool, _ node: ComposeNode
    ) throws(ComposeError) -> String {
        var source = source
        if source == "~" || source.hasPrefix("~/") {
            guard let home = node.variables["HOME"] else { throw node.error("HOME is not set", "write the path") }
            source = home + source.dropFirst()
        }
        let names = [source, target].map { $0.split(separator: ",", omittingEmptySubsequences: false) }
        return names.map { $0.joined(separator: ",,") }.joined(separator: ":") + (isReadOnly ? ":ro" : "")
    }
}
