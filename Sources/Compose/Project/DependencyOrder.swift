/// Puts services into the order in which they start.
enum DependencyOrder {
    /// The services, each behind its dependencies, and otherwise in the order of the file.
    ///
    /// - Throws: an error for an unknown service, for a cycle (with its services), and for conditions that cannot come true.
    static func sorted(_ services: [ComposeService]) throws(ComposeError) -> [ComposeService] {
        let byName = Dictionary(uniqueKeysWithValues: services.map { ($0.name, $0) })
        for service in services {
            for dependency in service.dependencies { try check(dependency, of: service, byName[dependency.service]) }
        }
        var result: [ComposeService] = []
        var done: Set<String> = []
        for service in services {
            var path: [String] = []
            try visit(service, byName, &path, &done, &result)
        }
        return result
    }

    private static func check(
        _ dependency: ComposeDependency, of service: ComposeService, _ target: ComposeService?
    ) throws(ComposeError) {
        guard let target else {
            throw ComposeError(
                dependency.place, "there is no service '\(dependency.service)'", "add it, or leave the dependency out")
        }
        if dependency.condition == .healthy, target.healthCheck == nil {
            throw ComposeError(
                dependency.place, "service '\(target.name)' has no health check", "use condition service_started")
        }
        if dependency.condition == .completed, target.restart == "always" {
            throw ComposeError(
                dependency.place, "service '\(target.name)' never ends: its policy is 'restart: always'",
                "leave out the policy, or use condition service_started")
        }
    }

    /// The depth is bounded by the number of services, which is that of a mapping's entries.
    private static func visit(
        _ service: ComposeService, _ byName: [String: ComposeService], _ path: inout [String],
        _ done: inout Set<String>,
        _ result: inout [ComposeService]
    ) throws(ComposeError) {
        if done.contains(service.name) { return }
        if let start = path.firstIndex(of: service.name) {
            let cycle = (path[start...] + [service.name]).joined(separator: " -> ")
            throw ComposeError(
                service.place.key("depends_on", line: nil), "the services depend on each other in a cycle: \(cycle)",
                "leave one dependency out")
        }
        path.append(service.name)
        for dependency in service.dependencies {
            guard let next = byName[dependency.service] else { continue }
            try visit(next, byName, &path, &done, &result)
        }
        path.removeLast()
        done.insert(service.name)
        result.append(service)
    }
}
