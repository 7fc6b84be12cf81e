import Aerie
import Foundation
import GuestToolchain
import TestSupport
import Testing

@Suite("Documentation of the library") struct DocumentationTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// The fenced `swift` code blocks of an article.
    private func codeBlocks(of article: String) throws -> [String] {
        let file = Self.root.appending(path: "Sources/\(article).md")
        var blocks: [String] = []
        var block: [Substring]?
        for line in try String(contentsOf: file, encoding: .utf8).split(
            separator: "\n", omittingEmptySubsequences: false)
        {
            if let lines = block {
                if line == "```" {
                    blocks.append(lines.joined(separator: "\n"))
                    block = nil
                } else {
                    block = lines + [line]
                }
            } else if line == "```swift" {
                block = []
            }
        }
        return blocks
    }

    @Test(
        "The articles' code is that of a compiled example",
        arguments: [
            ("Aerie/Aerie.docc/RunningYourFirstGuest", "Tests/MachineTests/Examples/FirstGuest", 2),
            ("Aerie/Aerie.docc/LifecycleOfAMachine", "Tests/MachineTests/Examples/FirstGuest", 2),
            ("Aerie/Aerie.docc/MachinesInTasks", "Tests/MachineTests/Examples/TaskGuest", 2),
            ("AerieMachines/AerieMachines.docc/KeepingMachines", "Tests/CommandTests/Examples/MachineExamples", 4),
            ("AerieMachines/AerieMachines.docc/RunningCommands", "Tests/CommandTests/Examples/MachineExamples", 3),
            ("AerieMachines/AerieMachines.docc/SandboxTutorial", "Examples/Sources/PythonSandbox/PythonSandbox", 3),
        ])
    func quotedCode(article: String, source: String, count: Int) throws {
        let example = try String(contentsOf: Self.root.appending(path: "\(source).swift"), encoding: .utf8)
        let blocks = try codeBlocks(of: article)
        #expect(blocks.count == count)
        for block in blocks { #expect(example.contains("\n" + block + "\n"), "\(block)") }
    }

    @Test("The example for tasks types a text at a guest's console and returns what comes back")
    func conversation() async throws {
        let program = try await onOwnThread { try BareProgram(["runtime.S", "guest.c", "echo.c"]) }
        #expect(try await converse(program.configuration, typing: "a text\n") == "a text\n")
    }

    @Test("The first guest's example runs a kernel to its end and returns its output")
    func firstGuest() throws {
        let program = try BareProgram(kernel: ["sbi_start.S", "sbi.c"], harts: 2, flags: ["-DROUNDS=1"])
        let kernel = try #require(program.configuration.kernel)
        let (outcome, output) = try runFirstGuest(kernel: kernel)
        #expect(outcome == .poweredOff)
        #expect(output == "all harts answered\n")
    }

    @Test("The lifecycle's example continues a saved guest in another machine, with another console")
    func savedGuest() throws {
        let program = try BareProgram(["runtime.S", "guest.c", "echo.c"])
        let first = TranscriptConsole()
        let machine = try VirtualMachine(program.configuration, console: first)
        try machine.start()
        try suspend(machine, to: program.path("saved"))
        #expect(machine.wait() == .stopped)
        #expect(first.output == "")
        let second = TranscriptConsole(input: "still here\n")
        let restored = try restore(program.configuration, from: program.path("saved"), console: second)
        #expect(restored.wait() == .poweredOff)
        #expect(second.output == "still here\n")
    }

    @Test("The transcript console of the examples keeps the last megabyte of output and plays its input once")
    func transcript() {
        let console = TranscriptConsole(input: "abc")
        #expect(console.read(limit: 2) == Array("ab".utf8))
        #expect(console.read(limit: 2) == Array("c".utf8))
        #expect(console.read(limit: 2) == [])
        #expect(console.write(Array(repeating: 0x61, count: 1 << 20)) == 1 << 20)
        #expect(console.write(Array("bc".utf8)) == 2)
        #expect(console.output.utf8.count == 1 << 20)
        #expect(console.output.hasSuffix("aabc"))
    }
}
