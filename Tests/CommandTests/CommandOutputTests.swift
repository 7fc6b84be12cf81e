import Foundation
import Testing

@Suite(
    "The output of a command in Debian", .timeLimit(.minutes(20)),
    .enabled("needs a Debian mirror and the tools that build an image") { DebianImage.obstacle == nil })
struct CommandOutputTests {
    /// Output without carriage returns.
    private func run(_ words: [String]) throws -> (code: Int32, output: String) {
        let result = try DebianImage.run(["run", "debian"] + words)
        // In a string, CR and LF are one character.
        return (result.code, String(decoding: result.output.utf8.filter { $0 != 0x0D }, as: UTF8.self))
    }

    @Test("A command that ends at once without output leaves its code", arguments: [("true", Int32(0)), ("false", 1)])
    func nothing(command: String, code: Int32) throws {
        let result = try run([command])
        #expect(result.code == code)
        #expect(result.output.split(separator: "\n").allSatisfy { $0.hasPrefix("[") })
    }

    @Test("A megabyte arrives whole, though the command ends right behind its last line")
    func megabyte() throws {
        let result = try run(["sh", "-c", "seq 1 150000; exit 3"])
        #expect(result.code == 3)
        let numbers = result.output.split(separator: "\n").filter { !$0.hasPrefix("[") }
        #expect(numbers.count == 150_000)
        #expect(numbers.elementsEqual((1...150_000).map { "\($0)" }))
    }

    @Test("Output without a newline at its end arrives whole")
    func unfinishedLine() throws {
        let result = try run(["sh", "-c", "head -c 200000 /dev/zero | tr '\\0' a"])
        #expect(result.code == 0)
        #expect(result.output.prefix { $0 == "a" }.count == 200_000)
    }
}
