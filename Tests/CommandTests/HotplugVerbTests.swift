import Foundation
import GuestToolchain
import Runtime
import TestSupport
import Testing

@Suite("Hot-plug by the command line, with a guest that has no driver") struct HotplugVerbTests: EchoSuite {
    let aerie: AerieProcess
    let echo: String

    init() throws {
        aerie = try AerieProcess()
        echo = try aerie.directory.file("echo", GuestProgram.echo)
    }

    private func file(_ name: String, size: Int = 1 << 20) throws -> String {
        try aerie.directory.file(name, Data(count: size))
    }

    private struct Part: Decodable {
        var path: String?
        var slot: Int?
        var macAddress: String?
    }

    private struct Inspected: Decodable {
        struct Record: Decodable {
            struct Configuration: Decodable {
                var disks: [Part]
                var networkCards: [Part]
            }
            var configuration: Configuration
        }
        var record: Record
    }

    private func inspected(_ name: String) throws -> (disks: [Part], cards: [Part]) {
        let output = try run("inspect", name).output
        let machines = try JSONDecoder().decode([Inspected].self, from: Data(output.utf8))
        let configuration = try #require(machines.first).record.configuration
        return (configuration.disks, configuration.networkCards)
    }

    private func refusal(_ words: String...) throws -> String {
        let result = try aerie.run(["set"] + words)
        #expect(result.code != 0)
        return String(result.error.dropFirst("aerie: ".count).dropLast())
    }

    @Test("Disks of each kind go in and out of a jailed machine, whose record and whose locks follow")
    func disks() throws {
        let (raw, direct, top) = (try file("raw"), try file("direct"), aerie.directory.path("top.qcow2"))
        let base = try file("base")
        #expect(try run("disk", "create", "--backing", "\(base),format=raw", top).code == 0)
        try start("one", ["--transport", "pci"])
        defer { remove("one", "two") }
        let options = ["raw,serial=R", "\(direct),cache=none,readonly", "\(top),format=qcow2,rate=10M,serial=Q"]
        let result = try aerie.run(["set", "one"] + options.flatMap { ["--add-disk", $0] })
        #expect(result.code == 0, "\(result.error)")
        let disks = try inspected("one").disks
        // A relative path begins where the command ran.
        #expect(disks.map(\.path) == [raw, direct, top])
        #expect(disks.map(\.slot) == [1, 2, 3])
        #expect(try run("set", "one", "--disk", "0=2M").code == 0)
        #expect(try FileManager.default.attributesOfItem(atPath: raw)[.size] as? Int == 2 << 20)
        for locked in [raw, top, base] {
            let result = try aerie.run(["run", "--firmware", echo, "--disk", "\(locked),format=raw"])
            #expect(result.code != 0 && result.error.contains("in use"), "\(result.error)")
        }
        #expect(echoesStill("one"))
        #expect(try run("set", "one", "--remove-disk", "Q", "--remove-disk", raw).code == 0)
        #expect(try inspected("one").disks.map(\.path) == [direct])
        let free = try aerie.run(
            ["run", "--detach", "--name", "two", "--firmware", echo, "--memory", "16M", "--network", "none"]
                + [raw, base].flatMap { ["--disk", "\($0),format=raw"] })
        #expect(free.code == 0, "\(free.error)")
        #expect(try run("set", "one", "--remove-disk", direct).code == 0)
        #expect(try inspected("one").disks.isEmpty)
    }

    private func echoesStill(_ name: String) -> Bool { (try? echoes(name, "abc")) == "abc" }

    @Test("What was plugged in stays with a machine that is stopped and started, saved, and forked")
    func kept() throws {
        let disk = try file("data")
        try start("one", ["--transport", "pci"])
        defer { remove("one", "two-1", "three") }
        #expect(try run("set", "one", "--add-disk", "\(disk),readonly,serial=D", "--add-network", "user").code == 0)
        let address = try #require(try inspected("one").cards.first?.macAddress)
        #expect(address.hasPrefix("ae:"))
        #expect(try run("fork", "one", "--name", "two").code == 0)
        #expect(try inspected("two-1").disks.map(\.slot) == [1])
        #expect(echoesStill("two-1"))
        #expect(try run("set", "two-1", "--remove-disk", "D").code == 0)
        #expect(try run("snapshot", "create", "one", "s").code == 0)
        #expect(try run("kill", "one").code == 0)
        #expect(try run("wait", "one").code == 0)
        #expect(try run("start", "one").code == 0)
        try awaitGreeting("one")
        #expect(try inspected("one").disks.map(\.slot) == [1])
        #expect(try inspected("one").cards.map(\.slot) == [2])
        let restored = try run("restore", "s", "--name", "three")
        #expect(restored.code == 0, "\(restored.error)")
        #expect(echoesStill("three"))
        #expect(try run("set", "three", "--remove-disk", "D").code == 0)
        let card = try #require(try inspected("three").cards.first?.macAddress)
        #expect(try run("set", "three", "--remove-network", card.uppercased()).code == 0)
        #expect(try inspected("three").cards.isEmpty)
    }

    @Test("What cannot be done is refused in words, and changes nothing")
    func refusals() throws {
        let (disk, other) = (try file("data"), try file("other"))
        try start("flat")
        try start("one", ["--transport", "pci", "--disk", "\(other),serial=fixed"])
        defer { remove("flat", "one") }
        #expect(
            try refusal("flat", "--add-disk", disk)
                == """
                adding disk \(disk): the machine's devices are on virtio-mmio, which has no hot-plug; \
                make the machine with --transport pci
                """)
        #expect(
            try refusal("one", "--add-disk", other)
                == "--disk \(other): the machine has this disk already; leave one out, or add ',readonly' to both")
        #expect(
            try refusal("one", "--add-disk", "\(disk),serial=fixed")
                == "--disk: two disks have the same serial; give each its own")
        #expect(
            try refusal("one", "--add-disk", "/nowhere")
                == "--disk /nowhere: No such file or directory; check the path")
        #expect(try refusal("one", "--add-disk", "\(disk),slot=9").contains("'9' is not a hot-plug slot"))
        #expect(
            try refusal("one", "--add-network", "switch=s")
                == """
                adding a card with the network switch=s: the jail of a running machine shows it no further switches; \
                make the machine with --network switch=s, or use the network user or tap
                """)
        #expect(
            try refusal("one", "--remove-disk", "fixed")
                == """
                removing disk fixed: it is in no hot-plug slot, and stays as long as the machine runs; stop the machine
                """)
        #expect(
            try refusal("one", "--remove-disk", "x")
                == """
                removing disk x: the machine has no disk with this serial or file; nothing of it can be removed
                """)
        #expect(try run("set", "one", "--add-disk", "\(disk),readonly,serial=D").code == 0)
        #expect(try refusal("one", "--remove-disk", "x").hasSuffix("what can be removed: D"))
        for number in 2...4 {
            #expect(try run("set", "one", "--add-disk", "\(try file("disk\(number)"))").code == 0)
        }
        #expect(
            try refusal("one", "--add-network", "user")
                == """
                adding a network card: all 4 hot-plug slots of the machine are taken; remove a device that is in one
                """)
        #expect(try inspected("one").disks.map(\.slot) == [nil, 1, 2, 3, 4])
        #expect(try run("pause", "one").code == 0)
        #expect(try refusal("one", "--remove-disk", "D").contains("the machine is paused"))
        #expect(try run("kill", "one").code == 0)
        #expect(try run("wait", "one").code == 0)
        #expect(
            try refusal("one", "--disk", "0=2M", "--remove-disk", "D")
                == "machine 'one': it is not running; start it with 'aerie start'")
        #expect(try inspected("one").disks.count == 5)
    }

    @Test("Devices of a stopped machine come and go in its record, and the next start has them")
    func stopped() throws {
        let (data, more) = (try file("data"), try file("more"))
        let options = ["--firmware", echo, "--memory", "16M", "--network", "none"]
        #expect(try aerie.run(["create", "--name", "one", "--transport", "pci"] + options).code == 0)
        #expect(try aerie.run(["create", "--name", "flat"] + options).code == 0)
        defer { remove("one", "flat") }
        #expect(try run("set", "one", "--add-disk", "data,serial=D,readonly", "--add-disk", more).code == 0)
        #expect(try inspected("one").disks.map(\.path) == [data, more])
        #expect(try inspected("one").disks.map(\.slot) == [1, 2])
        #expect(try run("set", "one", "--add-network", "user", "--remove-disk", more).code == 0)
        // What goes makes room first.
        #expect(try inspected("one").cards.map(\.slot) == [2])
        #expect(try refusal("one", "--add-disk", data).contains("the machine has this disk already"))
        #expect(try refusal("one", "--add-disk", "/nowhere").contains("No such file or directory"))
        #expect(try refusal("one", "--remove-disk", "x").hasSuffix("what can be removed: D"))
        #expect(try run("start", "one").code == 0)
        try awaitGreeting("one")
        #expect(try inspected("one").disks.map(\.slot) == [1])
        #expect(try run("kill", "one").code == 0)
        #expect(try run("wait", "one").code == 0)
        #expect(try run("set", "one", "--remove-disk", "D").code == 0)
        #expect(try inspected("one").disks.isEmpty)
        let address = try #require(try inspected("one").cards.first?.macAddress)
        #expect(try run("set", "one", "--remove-network", address).code == 0)
        #expect(try inspected("one").cards.isEmpty)
        // Without slots, a device is there from the start only.
        #expect(try run("set", "flat", "--add-disk", data).code == 0)
        #expect(try inspected("flat").disks.map(\.slot) == [nil])
        #expect(try run("start", "flat").code == 0)
        try awaitGreeting("flat")
        #expect(try refusal("flat", "--remove-disk", data).contains("it is in no hot-plug slot"))
    }

    @Test("What is plugged in is no change of settings that lasts until the machine's end")
    func noChanges() throws {
        try start("one", ["--transport", "pci"])
        defer { remove("one") }
        #expect(try run("set", "one", "--add-disk", try file("data")).code == 0)
        let machine = try StateDirectory(environment: aerie.environment).find("one")
        #expect(!FileManager.default.fileExists(atPath: "\(machine.directory)/changes.json"))
        #expect(try run("set", "one", "--memory", "8M", "--add-disk", try file("more")).code <= 1)
        #expect(FileManager.default.fileExists(atPath: "\(machine.directory)/changes.json"))
    }
}
