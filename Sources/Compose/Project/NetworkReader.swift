/// Reads the networks of a project file.
struct NetworkReader {
    let project: String

    /// The networks by their names in the file, and `default`.
    ///
    /// - Parameter node: nil for a file without `networks`.
    func networks(_ node: ComposeNode?, _ root: ComposeNode) throws(ComposeError) -> [String: ComposeNetwork] {
        let own = ComposeNetwork.segment(project: project, network: ComposeNetwork.defaultName)
        var result = [
            ComposeNetwork.defaultName: ComposeNetwork(ComposeNetwork.defaultName, segment: own, place: root.place)
        ]
        for entry in try node?.mapping() ?? [] { result[entry.key] = try network(entry) }
        return result
    }

    private func network(_ network: ComposeNode.Entry) throws(ComposeError) -> ComposeNetwork {
        var name: String?
        var isExternal = false
        var isInternal = false
        var subnet: String?
        for field in try network.value.mapping() where !field.key.hasPrefix("x-") {
            switch field.key {
            case "name": name = try field.value.text()
            case "external": isExternal = try field.value.flag()
            case "internal": isInternal = try field.value.flag()
            case "driver":
                let driver = try field.value.text()
                guard driver == "bridge" || driver == "default" else {
                    throw field.value.error("the driver '\(driver)' is not supported", "use bridge, or leave it out")
                }
            case "ipam": subnet = try self.subnet(field.value)
            default: throw field.unsupported()
            }
        }
        let own = ComposeNetwork.segment(project: project, network: network.key)
        var result = ComposeNetwork(
            network.key, segment: name ?? (isExternal ? network.key : own), place: network.place)
        result.isInternal = isInternal
        result.subnet = subnet
        return result
    }

    /// `ipam: {config: [{subnet: A.B.C.D/PREFIX}]}`.
    private func subnet(_ node: ComposeNode) throws(ComposeError) -> String? {
        var subnet: String?
        for field in try node.mapping() {
            switch field.key {
            case "driver":
                guard try field.value.text() == "default" else {
                    throw field.value.error("the driver is not supported", "leave it out")
                }
            case "config":
                for range in try field.value.list() {
                    for part in try range.mapping() {
                        guard part.key == "subnet" else { throw part.unsupported() }
                        guard subnet == nil else {
                            throw part.value.error("a second subnet is given", "a network has one, of IPv4")
                        }
                        subnet = try part.value.text()
                    }
                }
            default: throw field.unsupported()
            }
        }
        return subnet
    }
}
