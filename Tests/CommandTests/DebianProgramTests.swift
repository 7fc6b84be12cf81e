import Foundation
import GuestToolchain
import Testing

/// Large programs of Debian, and one that translates itself: `Guests/programs.sh`.
@Suite(
    "Debian's programs", .serialized,
    .enabled("needs a Debian mirror and the tools that build an image") { DebianImage.programs.obstacle == nil })
struct DebianProgramTests {
    @Test("Node.js, Python, gcc and git compute what they compute elsewhere", arguments: [1, 4])
    func programs(cpus: Int) throws {
        let result = try run(["--cpus", "\(cpus)"], guest: "programs.sh", command: ["sh", "/dev/vdb"])
        #expect(result.code == 0)
        // The same programs on an x86-64 host; node's line is of the interpreter, which has none.
        let expected = [
            "python 9403f0f50e55eb5abe680b18fa89bdc4558ba1f26153fa3175abe39d98620c6b 210000 830083",
            "gcc -O0 ac4094e30663cbab 1.644929066836", "gcc -O2 ac4094e30663cbab 1.644929066836",
            "git 793d3638f8dd2743377183cc7e76609319433b0c",
            "node 9880c8a0c4246e561c3940db5eb1e36e5256dbe5e0cf90e6e36581683aeaad7a 46368",
        ]
        for line in expected { #expect(result.output.contains(line), "\(line): \(result.output)") }
    }

    @Test(
        "OpenJDK compiles a program of several threads, which computes what it computes elsewhere", arguments: [4])
    func openJDK(cpus: Int) throws {
        // The compiler is a module of the JRE; only its command is a package of its own. The compiler runs only once, so the
        // JVM gets fast code for the program alone.
        let compile =
            "java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -m jdk.compiler/com.sun.tools.javac.Main Program.java"
        let script = "cp /dev/vdb /tmp/Program.java && cd /tmp && \(compile) && java Program"
        let result = try run(["--cpus", "\(cpus)"], guest: "Program.java", command: ["sh", "-c", script])
        #expect(result.code == 0)
        // A Python program that computes the same without threads printed these results.
        let expected = [
            "java counters 0c34ebf6e4df8871 184381046 360000 360000 17635653", "java exceptions e14a13f1cc2fb2e7",
            "java garbage 535fd24d3e618ffa", "java text 3a650c2853fd8dc5",
            "java numbers 1999999 0.341695437443 147648.468442085",
        ]
        for line in expected { #expect(result.output.contains(line), "\(line): \(result.output)") }
    }

    @Test("OpenJDK starts under Sv39")
    func openJDKUnderSv39() throws {
        let result = try run(["--cpu", "max,mmu=sv39"], guest: "Program.java", command: ["java", "--version"])
        #expect(result.code == 0)
        #expect(result.output.contains("OpenJDK 64-Bit Server VM"), "\(result.output)")
    }

    @Test("Ctrl-C raises KeyboardInterrupt in Python")
    func keyboardInterrupt() throws {
        let aerie = try AerieProcess()
        let terminal = try PseudoTerminal()
        let program = "import time; print('begins', flush=True); time.sleep(100000)"
        try terminal.start(
            AerieProcess.executable, ["run", "debian", "python3", "-c", program],
            environment: aerie.environment.merging(DebianImage.programs.environment) { $1 })
        try #require(terminal.wait(for: "begins"))
        terminal.type([0x03])
        #expect(terminal.wait(for: "KeyboardInterrupt"))
        #expect(terminal.end() == 130)
    }

    /// Runs a command in the image of large programs, with a file of `Guests` as its second disk.
    private func run(_ machine: [String], guest name: String, command: [String]) throws -> AerieResult {
        let directory = TemporaryDirectory()
        let source = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Guests/\(name)")
        var file = Array(try Data(contentsOf: source))
        // A disk has whole sectors.
        file += Array(repeating: UInt8(ascii: "\n"), count: 512 - file.count % 512)
        let disk = try directory.file("file", file)
        return try DebianImage.programs.run(
            ["run"] + machine + ["--memory", "1G", "--disk", "\(disk),readonly", "debian"] + command)
    }
}
