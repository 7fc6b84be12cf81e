/// What the reader of a project file has at hand: the variables, and what it has to say to the user.
final class ComposeContext {
    /// The environment, and what `.env` adds to it.
    let variables: [String: String]
    /// Variables that values use and that have no value.
    private(set) var missing: [(name: String, place: ComposePlace)] = []

    init(variables: [String: String]) { self.variables = variables }

    func expand(_ text: String, at place: ComposePlace) throws(ComposeError) -> String {
        var interpolation = Interpolation(variables: variables)
        let result: String
        do throws(Interpolation.Mistake) {
            result = try interpolation.expand(text)
        } catch {
            throw ComposeError(place, error.found, error.advice)
        }
        for name in interpolation.missing where !missing.contains(where: { $0.name == name }) {
            missing.append((name, place))
        }
        return result
    }
}
