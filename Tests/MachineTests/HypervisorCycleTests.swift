import Aerie
import Foundation
import GuestToolchain
import TestSupport
import Testing

@Suite("Life and death of the hypervisor's guests") struct HypervisorCycleTests {
    /// So many that a chunk of memory, an entry of a table or a VMID that is lost now and then would be missed long before the end.
    private static let lives = 10_000

    @Test("Ten thousand guests, created and destroyed one after the other, leave nothing behind")
    func cycles() throws {
        let builder = try HypervisorBuilder()
        for name in ["cycles", "idle"] { try builder.guest(name) }
        let packed = try builder.pack(
            """
            {"guests": [{"name": "idle", "kernel": "idle.bin", "memory": "4M"},
                {"name": "cycles", "kernel": "cycles.bin", "memory": "4M", "vcpus": 2, "network": true,
                    "disk": {"device": 0}, "start": false}]}
            """)
        try #require(packed.status == 0, "\(packed.output)")
        var configuration = Configuration()
        configuration.kernel = packed.image
        configuration.memory = .mebibytes(64)
        configuration.cpus = 2
        configuration.processor = try Processor(option: "max,h=on")
        configuration.transport = .mmio
        configuration.disks = [Disk(path: try builder.directory.file("disk", Data(count: 64 << 10)))]
        let console = RecordingConsole()
        let machine = try VirtualMachine(configuration, console: console)
        try machine.start()
        defer {
            machine.kill()
            _ = machine.wait()
        }
        try awaitText("scheduled", on: console)
        console.type("\u{1}mlist\n")
        try awaitText("free MiB ", on: console)
        console.type("start 2\n")
        try awaitText("guest cycles has ended", on: console)
        console.type("list\n")
        let isListed = Patience.wait {
            usleep(100_000)
            return free(console.text).count == 2
        }
        try #require(isListed, "\(console.text.suffix(2000))")
        let text = console.text
        #expect(text.contains("[cycles] lives \(Self.lives)\r\n"), "\(text.suffix(2000))")
        #expect(text.components(separatedBy: "guest cycles restarts").count == Self.lives)
        #expect(free(text)[0] == free(text)[1])
    }

    /// - Parameter limit: for hangs; ten thousand lives take a minute on a quiet host.
    private func awaitText(_ text: String, on console: RecordingConsole, limit: Duration = .seconds(1500)) throws {
        let isThere = Patience.wait(limit) {
            usleep(100_000)
            return console.text.contains(text)
        }
        try #require(isThere, "\(console.text.suffix(2000))")
    }

    /// What the monitor's lists say of free memory.
    private func free(_ text: String) -> [String] {
        text.split(whereSeparator: \.isNewline).filter { $0.hasPrefix("free MiB ") }.map(String.init)
    }
}
