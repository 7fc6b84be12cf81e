/// A project: the services of a file, in the order in which they start.
package struct ComposeProject: Equatable, Sendable {
    package let name: String
    /// Each one behind those on which it depends.
    package let services: [ComposeService]
    /// What the user should know, though it is no error: texts for people.
    package let warnings: [String]

    /// The name of a service's machine.
    package func machineName(_ service: String) -> String { "\(name)-\(service)" }

    /// The services of these names and all on which they depend, in the order of their start; all services for no names.
    ///
    /// - Throws: an error for a name that the file does not have.
    package func selection(_ names: [String], file: String) throws(ComposeError) -> [ComposeService] {
        guard !names.isEmpty else { return services }
        var wanted: Set<String> = []
        for name in names {
            guard services.contains(where: { $0.name == name }) else {
                throw ComposeError(
                    ComposePlace(file: file, line: nil, path: "services"), "there is no service '\(name)'",
                    "use one of \(services.map(\.name).sorted().joined(separator: ", "))")
            }
            wanted.insert(name)
        }
        // From the last one to the first: who depends comes before those on whom it depends.
        for service in services.reversed() where wanted.contains(service.name) {
            wanted.formUnion(service.dependencies.map(\.service))
        }
        return services.filter { wanted.contains($0.name) }
    }
}
