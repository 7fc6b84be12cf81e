import AgentClient
import Testing

/// The rules of podman's cp for names.
@Suite("Where a copy goes")
struct CopyPlanTests {
    private struct Case {
        let source: String
        let isDirectory: Bool
        let destination: String
        let state: CopyPlan.Destination
        let expected: Result<CopyPlan, CopyPlan.Obstacle>
    }

    private static func plan(_ directory: String, _ name: String?) -> Result<CopyPlan, CopyPlan.Obstacle> {
        .success(CopyPlan(directory: directory, name: name))
    }

    @Test("Each kind of source and destination has the place that podman gives it")
    func rules() {
        let file = CopyPlan.Destination.file(path: "/real/file")
        let cases = [
            Case(source: "a/f", isDirectory: false, destination: "/d", state: .absent, expected: Self.plan("/", "d")),
            Case(source: "f", isDirectory: false, destination: "d", state: .absent, expected: Self.plan(".", "d")),
            Case(
                source: "f", isDirectory: false, destination: "/x/d/", state: .absent,
                expected: .failure(.absentDirectory)),
            Case(source: "f", isDirectory: false, destination: "/x", state: file, expected: Self.plan("/real", "file")),
            Case(source: "f", isDirectory: false, destination: "/x/", state: file, expected: .failure(.notADirectory)),
            Case(
                source: "a/f", isDirectory: false, destination: "/x", state: .directory, expected: Self.plan("/x", "f")),
            Case(source: "a/d", isDirectory: true, destination: "/x/n", state: .absent, expected: Self.plan("/x", "n")),
            Case(
                source: "a/d", isDirectory: true, destination: "/x/n/", state: .absent, expected: Self.plan("/x", "n")),
            Case(
                source: "a/d", isDirectory: true, destination: "/x", state: file, expected: .failure(.directoryOntoFile)
            ),
            Case(
                source: "a/d", isDirectory: true, destination: "/x", state: .directory, expected: Self.plan("/x", "d")),
            Case(
                source: "a/d/", isDirectory: true, destination: "/x", state: .directory, expected: Self.plan("/x", "d")),
            Case(
                source: "a/d/.", isDirectory: true, destination: "/x", state: .directory, expected: Self.plan("/x", nil)
            ),
            Case(
                source: "a/d/.", isDirectory: true, destination: "/x/n", state: .absent, expected: Self.plan("/x", "n")),
            Case(source: ".", isDirectory: true, destination: "/x", state: .directory, expected: Self.plan("/x", nil)),
            Case(source: "/", isDirectory: true, destination: "/x", state: .directory, expected: Self.plan("/x", nil)),
        ]
        for item in cases {
            let result: Result<CopyPlan, CopyPlan.Obstacle>
            do throws(CopyPlan.Obstacle) {
                result = .success(
                    try CopyPlan(
                        source: item.source, isDirectory: item.isDirectory, destination: item.destination, item.state))
            } catch {
                result = .failure(error)
            }
            #expect(result == item.expected, "\(item.source) to \(item.destination)")
        }
    }

    @Test("A source that ends with .. has the name of its directory")
    func parent() throws {
        let plan = try CopyPlan(source: "a/..", sourceName: "real", isDirectory: true, destination: "/x", .directory)
        #expect(plan == CopyPlan(directory: "/x", name: "real"))
    }
}
