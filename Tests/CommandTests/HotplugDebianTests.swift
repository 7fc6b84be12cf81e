import Foundation
import GuestToolchain
import TestSupport
import Testing

@Suite(
    "Hot-plug with Debian",
    .enabled("needs a Debian mirror and the tools that build an image") { DebianImage.obstacle == nil })
struct HotplugDebianTests {
    private let aerie: AerieProcess

    init() throws { aerie = try AerieProcess() }

    private func run(_ words: String...) throws -> AerieResult {
        try aerie.run(words, environment: DebianImage.usual.environment)
    }

    private func shell(_ name: String, _ script: String) throws -> String {
        let result = try run("exec", name, "sh", "-c", script)
        #expect(result.code == 0, "\(script): \(result.error)")
        return result.output
    }

    /// Whether a command in the guest comes to succeed.
    private func awaits(_ name: String, _ script: String) throws -> Bool {
        try Patience.wait { try run("exec", name, "sh", "-c", script).code == 0 }
    }

    @Test(
        "A running Debian guest gets a disk and a network card, uses them, goes on as a fork with them, and loses both",
        arguments: ["plic", "aia"])
    func diskAndCard(interrupts: String) throws {
        let path = try aerie.directory.file("data", Data("contents of the disk\n".utf8) + Data(count: 1 << 20))
        let options = ["--transport", "pci", "--interrupts", interrupts, "--network", "none", "--cpus", "2"]
        let started = try aerie.run(
            ["run", "-d", "--name", "one"] + options + ["debian", "sleep", "100000"],
            environment: DebianImage.usual.environment)
        try #require(started.code == 0, "\(started.error)")
        defer { _ = try? run("rm", "--force", "one", "two-1") }
        #expect(try shell("one", "lspci | grep -c 'PCI bridge'") == "4\n")
        #expect(try shell("one", "ls /sys/block; ls /sys/class/net") == "vda\nlo\n")

        #expect(try run("set", "one", "--add-disk", "\(path),serial=D").code == 0)
        #expect(try awaits("one", "test -b /dev/vdb"))
        #expect(try shell("one", "head -n 1 /dev/vdb; cat /sys/block/vdb/serial") == "contents of the disk\nD")
        _ = try shell("one", "echo from the guest | dd of=/dev/vdb bs=512 seek=1 conv=sync,fsync status=none")
        #expect(try Data(contentsOf: URL(filePath: path))[512...].starts(with: Data("from the guest\n".utf8)))

        #expect(try run("set", "one", "--add-network", "user,mac=52:54:00:12:34:56").code == 0)
        #expect(try awaits("one", "grep -q 52:54:00:12:34:56 /sys/class/net/*/address"))
        let name = try shell("one", "grep -l 52:54:00:12:34:56 /sys/class/net/*/address | cut -d/ -f5")
            .trimmingCharacters(in: .newlines)
        if HostRoutes.hasDefault { try checkAddress(name) }

        // A copy cannot have a disk that the guest writes to.
        #expect(try run("set", "one", "--remove-disk", "D").code == 0)
        #expect(try shell("one", "ls /sys/block") == "vda\n")
        #expect(try run("set", "one", "--add-disk", "\(path),serial=D,readonly").code == 0)
        #expect(try awaits("one", "test -b /dev/vdb"))
        let forked = try run("fork", "one", "--name", "two")
        #expect(forked.code == 0, "\(forked.error)")
        for machine in ["two-1", "one"] {
            #expect(try shell(machine, "head -n 1 /dev/vdb") == "contents of the disk\n")
            #expect(try run("set", machine, "--remove-disk", path).code == 0)
            #expect(try shell(machine, "ls /sys/block") == "vda\n")
        }
        #expect(try run("set", "one", "--remove-network", "52:54:00:12:34:56").code == 0)
        #expect(try shell("one", "ls /sys/class/net") == "lo\n")
        #expect(!(try shell("one", "dmesg").contains("BUG:")))
    }

    /// The guest has asked by DHCP for an address of a plugged card, and reaches the host. A second card leaves the way out as it is.
    private func checkAddress(_ name: String) throws {
        #expect(try awaits("one", "ip -4 address show dev \(name) | grep -q 'inet 10.0.2.15/24 '"))
        #expect(try awaits("one", "ip -4 route show default | grep -q 'via 10.0.2.2 dev \(name) '"))
        #expect(try awaits("one", "getent hosts host.aerie.internal | grep -q '^10.0.2.2 '"))
        let server = try LoopbackServer { _ = send($0, "FROM THE HOST", 13, Int32(MSG_NOSIGNAL)) }
        defer { server.stop() }
        let fetch = "bash -c 'exec 3<>/dev/tcp/10.0.2.2/\(server.port); head -c 13 <&3'"
        #expect(try shell("one", fetch) == "FROM THE HOST")

        let address = "52:54:00:12:34:57"
        #expect(try run("set", "one", "--add-network", "user,mac=\(address)").code == 0)
        let second = try shell("one", "grep -l \(address) /sys/class/net/*/address | cut -d/ -f5")
            .trimmingCharacters(in: .newlines)
        let routes = "ip -4 route show default"
        #expect(try awaits("one", "\(routes) | grep -q 'via 10.0.2.2 dev \(second) .*metric 1024'"))
        #expect(try shell("one", "ip -4 route get 198.51.100.1").contains("via 10.0.2.2 dev \(name) "))
        #expect(try shell("one", fetch) == "FROM THE HOST")
        #expect(try run("set", "one", "--remove-network", address).code == 0)
    }

    @Test("A reset of the guest keeps its disk, which leaves the new guest as well")
    func reboot() throws {
        let path = try aerie.directory.file("data", Data("contents of the disk\n".utf8) + Data(count: 1 << 20))
        let started = try aerie.run(
            ["run", "-d", "--name", "one", "--transport", "pci", "--network", "none", "debian", "sleep", "100000"],
            environment: DebianImage.usual.environment)
        try #require(started.code == 0, "\(started.error)")
        defer { _ = try? run("rm", "--force", "one") }
        #expect(try run("set", "one", "--add-disk", "\(path),serial=D").code == 0)
        #expect(try awaits("one", "test -b /dev/vdb"))
        let boot = try shell("one", "cat /proc/sys/kernel/random/boot_id")
        _ = try run("exec", "one", "sh", "-c", "echo b > /proc/sysrq-trigger")
        #expect(
            try Patience.wait {
                let result = try run("exec", "one", "cat", "/proc/sys/kernel/random/boot_id")
                return result.code == 0 && result.output != boot
            })
        #expect(try shell("one", "head -n 1 /dev/vdb") == "contents of the disk\n")
        #expect(try run("set", "one", "--remove-disk", "D").code == 0)
        #expect(try shell("one", "ls /sys/block") == "vda\n")
    }
}
