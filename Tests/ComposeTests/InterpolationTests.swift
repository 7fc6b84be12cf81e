import Testing

@testable import Compose

@Suite("Variables in project files")
struct InterpolationTests {
    private func expand(_ text: String) throws -> String {
        var interpolation = Interpolation(variables: ["A": "one", "EMPTY": "", "B_2": "two"])
        return try interpolation.expand(text)
    }

    @Test(
        "Every form of a variable has compose's meaning",
        arguments: [
            ("plain", "plain"), ("$A", "one"), ("${A}", "one"), ("x${A}y$B_2.z", "xoney" + "two.z"), ("$$A", "$A"),
            ("$${A}", "${A}"), ("${EMPTY:-d}", "d"), ("${EMPTY-d}", ""), ("${NONE-d}", "d"), ("${NONE:-}", ""),
            ("${A:+yes}", "yes"), ("${EMPTY:+yes}", ""), ("${EMPTY+yes}", "yes"), ("${NONE+yes}", ""),
            ("${A:?needed}", "one"), ("${EMPTY?needed}", ""), ("${NONE:-${A}-${B_2}}", "one-two"),
            ("${NONE:-a$$b}", "a$b"), ("$NONE!", "!"), ("{}", "{}"),
        ])
    func forms(text: String, value: String) throws {
        #expect(try expand(text) == value)
    }

    @Test(
        "A malformed variable is an error that shows it",
        arguments: [
            ("$", "a '$' is not followed by a variable"), ("cost: 5$ each", "a '$' is not followed by a variable"),
            ("${}", "'${}' is not a valid variable"), ("${A", "'${A' is not a valid variable"),
            ("${1A}", "'${1A}' is not a valid variable"), ("${A:}", "'${A:}' is not a valid variable"),
            ("${A*b}", "'${A*b}' is not a valid variable"), ("${NONE:-x", "'${NONE:-x' is not a valid variable"),
            ("${EMPTY:?set it}", "the variable EMPTY has no value: set it"),
            ("${NONE?}", "the variable NONE has no value"),
        ])
    func malformed(text: String, found: String) {
        var caught: Interpolation.Mistake?
        do { _ = try expand(text) } catch { caught = error as? Interpolation.Mistake }
        #expect(caught?.found == found)
    }

    @Test("Defaults within defaults have eight levels at most")
    func nesting() throws {
        func nested(_ depth: Int) -> String {
            String(repeating: "${NONE:-", count: depth) + "x" + String(repeating: "}", count: depth)
        }
        #expect(try expand(nested(8)) == "x")
        #expect(throws: Interpolation.Mistake.self) { try expand(nested(9)) }
        #expect(throws: Interpolation.Mistake.self) { try expand(nested(100_000)) }
    }

    @Test("A variable without a value is noted once, and not in a default that is not used")
    func missing() throws {
        var interpolation = Interpolation(variables: ["A": "one"])
        #expect(try interpolation.expand("$X ${X} ${A:-$Y} ${Z:-z}") == "  one z")
        #expect(interpolation.missing == ["X"])
    }

    @Test("A value of more than a megabyte is refused")
    func longValues() throws {
        var interpolation = Interpolation(variables: ["L": String(repeating: "x", count: 1 << 19)])
        #expect(try interpolation.expand("$L$L").utf8.count == 1 << 20)
        #expect(throws: Interpolation.Mistake.self) { try interpolation.expand("$L$L.") }
    }
}
