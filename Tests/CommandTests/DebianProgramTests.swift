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
        let directory = TemporaryDirectory()
        let source = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Guests/programs.sh")
        var script = Array(try Data(contentsOf: source))
        // A disk has whole sectors.
        script += Array(repeating: UInt8(ascii: "\n"), count: 512 - script.count % 512)
        let disk = try directory.file("script", script)
        let result = try DebianImage.programs.run(
            [
                "run", "debian", "--cpus", "\(cpus)", "--memory", "1G", "--disk", "\(disk),readonly", "--",
                "sh", "/dev/vdb",
            ])
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
}
