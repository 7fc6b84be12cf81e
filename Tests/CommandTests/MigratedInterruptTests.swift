import ControlAPI
import Foundation
import GuestToolchain
import TestSupport
import Testing

/// `aerie migrate` with machines whose interrupts are messages (`--interrupts aia`), and with a hypervisor in the machine.
@Suite("Migration of interrupt controllers") struct MigratedInterruptTests: MigrationSuite {
    let aerie: AerieProcess
    let echo: String

    init() throws {
        aerie = try AerieProcess()
        echo = try aerie.directory.file("echo", GuestProgram.echo)
    }

    private func start(_ options: [String]) throws {
        let result = try aerie.run(["run", "--detach", "--name", "one", "--network", "none"] + options)
        try #require(result.code == 0, "\(result.error)")
    }

    private func migrate(from here: [String: String], to target: [String: String]) throws {
        let receiver = try receiver(at: nil, target)
        let sent = try aerie.run(["migrate", "one", address], environment: here)
        #expect(sent.code == 0, "\(sent.error)")
        #expect(receiver.end() == 0, "\(receiver.error)")
    }

    @Test(
        "Interrupts between harts and of wires arrive while their machine moves there and back",
        arguments: ["aia", "aplic"])
    func interrupts(controllers: String) throws {
        let program = try Toolchain.build(
            ["runtime.S", "guest.c", "\(controllers)_harts.c"], flags: ["-DHARTS=4", "-DENDLESS"])
        let firmware = try aerie.directory.file("harts", program)
        try start(["--firmware", firmware, "--memory", "16M", "--interrupts", controllers, "--cpus", "4"])
        defer { removeEverywhere("one") }
        for _ in 0..<2 {
            try migrate(from: [:], to: there)
            try migrate(from: there, to: [:])
        }
        // It ends in the same moment.
        _ = try received("one", 0, recent: false, typing: "e")
        #expect(try aerie.run(["wait", "one"]).output == "0\n")
        let arrived = controllers == "aia" ? "message" : "interrupt"
        #expect(try aerie.run(["logs", "one"]).output.contains("every \(arrived) arrived"))
    }

    @Test(
        "Guests of a hypervisor go on counting in a machine that moves",
        arguments: [("plic", "scheduled"), ("aia", "scheduled"), ("aia", "partitioned")])
    func hypervisor(interrupts: String, mode: String) throws {
        let builder = try HypervisorBuilder()
        try builder.guest("counter")
        // Partitions have interrupt files of the harts' for the messages between their vCPUs.
        let harts = mode == "partitioned" ? [#", "harts": [0, 1]"#, #", "harts": [2, 3]"#] : ["", ""]
        let packed = try builder.pack(
            """
            {"mode": "\(mode)", "guests": [
                {"name": "left", "kernel": "counter.bin", "vcpus": 2, "memory": "8M"\(harts[0])},
                {"name": "right", "kernel": "counter.bin", "vcpus": 2, "memory": "8M"\(harts[1])}]}
            """)
        try #require(packed.status == 0, "\(packed.output)")
        try start(
            ["--kernel", packed.image, "--cpu", "max,h=on", "--interrupts", interrupts]
                + ["--cpus", mode == "partitioned" ? "4" : "2", "--memory", "64M"])
        defer { removeEverywhere("one") }
        var reached = [0, 0]
        for (here, target) in [([:], there), (there, [:])] as [([String: String], [String: String])] {
            try migrate(from: here, to: target)
            let text = try received("one", 2000, recent: false, target)
            // Between the first line and the last one, which need not be whole.
            let lines = text.split(whereSeparator: \.isNewline).dropFirst().dropLast()
            for (index, guest) in ["left", "right"].enumerated() {
                let counts = lines.filter { $0.hasPrefix("[\(guest)] ") }.map { line in
                    Int(line.split(separator: " ").last ?? "") ?? 0
                }
                let first = try #require(counts.first, "\(text)")
                #expect(first > reached[index] && counts == Array(first..<first + counts.count), "\(text)")
                reached[index] = try #require(counts.last)
            }
            #expect(lines.allSatisfy { $0.contains(" count ") }, "\(text)")
        }
    }
}
