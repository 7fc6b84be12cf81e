import Aerie
import Foundation
import GuestToolchain
import TestSupport
import Testing

/// The bare-metal hypervisor of `hypervisor/` with guests, saved and restored while they work.
@Suite("A machine with a hypervisor in it, saved and restored", .serialized) struct HypervisorMovingTests {
    private static let builder = Result { try HypervisorBuilder() }

    /// Two guests of two vCPUs each share two harts: `counter` has timers, messages and memory, and a third one reads and writes a disk. As partitions
    /// they have five harts, and the harts' interrupt files if there are any.
    private func configuration(
        _ interrupts: Configuration.Interrupts, isPartitioned: Bool, _ directory: TemporaryDirectory
    ) throws -> Configuration {
        let builder = try Self.builder.get()
        for name in ["counter", "pages"] { try builder.guest(name) }
        func harts(_ list: String) -> String { isPartitioned ? #", "harts": [\#(list)]"# : "" }
        let packed = try builder.pack(
            """
            {"mode": "\(isPartitioned ? "partitioned" : "scheduled")", "guests": [
                {"name": "left", "kernel": "counter.bin", "vcpus": 2, "memory": "8M"\(harts("0, 1"))},
                {"name": "right", "kernel": "counter.bin", "vcpus": 2, "memory": "8M"\(harts("2, 3"))},
                {"name": "pages", "kernel": "pages.bin", "memory": "8M", "disk": {"device": 0}\(harts("4"))}]}
            """)
        try #require(packed.status == 0, "\(packed.output)")
        var configuration = Configuration()
        configuration.kernel = packed.image
        configuration.memory = .mebibytes(64)
        configuration.cpus = isPartitioned ? 5 : 2
        configuration.processor = try Processor(option: "max,h=on")
        configuration.interrupts = interrupts
        configuration.transport = .mmio
        configuration.disks = [Disk(path: try directory.file("disk", Data(count: 256 << 10)))]
        return configuration
    }

    /// The last words of a guest's whole lines: how far it has counted.
    private func counts(_ text: String, of guest: String) -> [Int?] {
        text.split(whereSeparator: \.isNewline).filter { $0.hasPrefix("[\(guest)] ") }.map { line in
            line.hasPrefix("[\(guest)] count ") ? line.split(separator: " ").last.flatMap { Int($0) } : nil
        }
    }

    @Test(
        "Its guests go on counting without a gap, from engine to engine",
        arguments: [
            (Configuration.Interrupts.plic, false), (.aia, false), (.aplic, false), (.aia, true), (.aplic, true),
        ])
    func moves(interrupts: Configuration.Interrupts, isPartitioned: Bool) throws {
        let directory = TemporaryDirectory()
        let base = try configuration(interrupts, isPartitioned: isPartitioned, directory)
        let configurations = (0...6).map { move in
            var configuration = base
            configuration.engine = move % 3 == 1 ? .interpret : .translate
            return configuration
        }
        let guests = ["left", "right", "pages"]
        func awaitProgress(_ console: RecordingConsole) throws {
            let goesOn = Patience.wait {
                let text = console.text
                // The first line after a move may be the rest of one.
                return guests.allSatisfy { counts(text, of: $0).count >= 6 }
            }
            try #require(goesOn, "\(console.text.suffix(1000))")
        }
        var random = SeededGenerator(seed: 3)
        let printed = try runMoving(configurations, through: directory.path("saved")) { _, console in
            try awaitProgress(console)
            usleep(UInt32(random.next() % 20_000))
        } end: { machine, console in
            try awaitProgress(console)
            machine.kill()
            #expect(machine.wait() == .stopped)
        }
        let whole = printed[..<(printed.lastIndex(where: \.isNewline) ?? printed.endIndex)]
        for guest in guests {
            let found = counts(String(whole), of: guest)
            #expect(found.count > 30)
            #expect(found == Array(1...found.count), "\(guest): \(printed.suffix(2000))")
        }
    }
}
