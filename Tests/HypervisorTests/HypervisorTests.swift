import Foundation
import GuestToolchain
import Testing

@Suite(
    "The hypervisor on QEMU", .serialized,
    .enabled(if: HypervisorImage.qemu != nil, "qemu-system-riscv64 is not installed"))
struct HypervisorTests {
    @Test("The image without guests has at most 300 KB")
    func size() throws {
        let path = try HypervisorImage.builder.get().hypervisor
        #expect(try Data(contentsOf: URL(filePath: path)).count <= 300_000)
    }

    @Test("Guests have harts, timers and messages; a hostile guest ends alone; one that wants too much does not start")
    func guests() throws {
        for name in ["hello", "hostile"] { try HypervisorImage.guest(name) }
        let lines = try HypervisorImage.run(
            """
            {"mode": "scheduled", "guests": [
                {"name": "wild", "kernel": "hostile.bin", "vcpus": 2, "memory": "8M"},
                {"name": "calm", "kernel": "hello.bin", "vcpus": 2, "memory": "8M"},
                {"name": "large", "kernel": "hello.bin", "memory": "4G"}]}
            """, harts: 2)
        let calm = lines.filter { $0.hasPrefix("[calm]") }
        #expect(
            calm == [
                "[calm] hello from hart 0, a tree", "[calm] timer", "[calm] second 43", "[calm] refusals 363332",
            ])
        let wild = lines.filter { $0.hasPrefix("[wild]") }
        #expect(wild == ["[wild] accesses done", "[wild] calls done", "[wild] jump done"])
        #expect(lines.contains("hypervisor: guest wild ends: its trap vector is no memory"))
        #expect(
            lines.contains(
                "hypervisor: guest large does not start: more memory is wanted than is free; stop another guest, or give this one less"
            ))
        #expect(lines.last == "hypervisor: every guest has ended; the machine powers off")
    }

    @Test(
        "A hypercall takes at most 150 instructions, a switch between vCPUs with its decision at most 400",
        arguments: [DeviceBoard.aerieInterpreter, .aerieIMSICInterpreter],
        [("cost", 1, "call", 150), ("switches", 2, "switch", 400)])
    func cost(board: DeviceBoard, row: (program: String, vcpus: Int, operation: String, most: Int)) throws {
        let (program, vcpus, operation, most) = row
        try HypervisorImage.guest(program)
        let lines = try board.run(
            #"{"guests": [{"name": "counts", "kernel": "\#(program).bin", "vcpus": \#(vcpus), "memory": "8M"}]}"#,
            harts: 1
        )
        let line = try #require(lines.first { $0.hasPrefix("[counts] instructions of a \(operation) ") })
        let instructions = try #require(Int(line.split(separator: " ").last ?? ""))
        // Less than the registers of a vCPU, saved and loaded, would be no count.
        #expect((60...most).contains(instructions), "\(instructions)")
    }

    @Test("A vCPU that waits wakes at its timer, whatever timer an earlier wait had")
    func timers() throws {
        try HypervisorImage.guest("timers")
        let lines = try HypervisorImage.run(
            #"{"guests": [{"name": "waits", "kernel": "timers.bin", "memory": "8M"}]}"#, harts: 1,
            countsInstructions: true)
        #expect(lines.contains("[waits] late timers 0"))
    }

    @Test(
        "Floating-point registers stay a vCPU's own over switches and moves between harts, and begin as zeros",
        arguments: [1, 2])
    func floats(harts: Int) throws {
        try HypervisorImage.guest("floats")
        let table =
            """
            {"guests": [{"name": "left", "kernel": "floats.bin", "vcpus": 2, "memory": "8M"},
                {"name": "right", "kernel": "floats.bin", "vcpus": 2, "memory": "8M"}]}
            """
        let runs = [
            try HypervisorImage.run(table, harts: harts),
            try DeviceBoard.aerieTranslator.run(table, harts: harts),
        ]
        for lines in runs {
            for name in ["left", "right"] {
                let own = lines.filter { $0.hasPrefix("[\(name)]") }
                #expect(own == ["[\(name)] traps 3 illegal", "[\(name)] broken 0"])
            }
        }
    }

    @Test("Each guest has a seed of its own, of 32 bytes, and another one at the next start of the machine")
    func seeds() throws {
        try HypervisorImage.guest("seed")
        let table =
            """
            {"guests": [{"name": "one", "kernel": "seed.bin", "memory": "8M"},
                {"name": "two", "kernel": "seed.bin", "memory": "8M"}]}
            """
        var seeds: Set<String> = []
        for lines in [
            try HypervisorImage.run(table, harts: 1), try HypervisorImage.run(table, harts: 1),
            try DeviceBoard.aerieTranslator.run(table, harts: 1),
        ] {
            for name in ["one", "two"] {
                let seed = try #require(lines.first { $0.hasPrefix("[\(name)] seed ") }?.split(separator: " ").last)
                #expect(seed.count == 64)
                #expect(Set(seed).count > 4, "\(seed) is not random")
                seeds.insert(String(seed))
            }
        }
        #expect(seeds.count == 6)
    }

    @Test("A partition runs on its own harts")
    func partitions() throws {
        try HypervisorImage.guest("hello")
        let lines = try HypervisorImage.run(
            """
            {"mode": "partitioned", "guests": [
                {"name": "left", "kernel": "hello.bin", "vcpus": 2, "memory": "8M", "harts": [0, 1]},
                {"name": "right", "kernel": "hello.bin", "vcpus": 1, "memory": "8M", "harts": [2]}]}
            """, harts: 3)
        #expect(lines.first?.hasSuffix("partitioned") == true)
        #expect(lines.filter { $0.hasPrefix("[left]") }.last == "[left] refusals 363332")
        #expect(lines.filter { $0.hasPrefix("[right]") }.last == "[right] refusals 363332")
    }

    @Test(
        "Weights of 3:1 hold within 3%, and a cap of 25% within a point",
        // 3:1 within 3% is 74.4 to 75.6 percent.
        arguments: [("\"weight\": 768", 75.0, 0.55), ("\"cap\": 25", 25.0, 0.75)])
    func shares(setting: String, percent: Double, tolerance: Double) throws {
        try HypervisorImage.guest("spin")
        let lines = try HypervisorImage.run(
            """
            {"guests": [{"name": "set", "kernel": "spin.bin", "memory": "8M", \(setting)},
                {"name": "other", "kernel": "spin.bin", "memory": "8M"}]}
            """, harts: 1, countsInstructions: true)
        let counts = try ["set", "other"].map { name in
            let line = try #require(lines.first { $0.hasPrefix("[\(name)] count ") })
            return try #require(Double(line.split(separator: " ").last ?? ""))
        }
        #expect(abs(100 * counts[0] / (counts[0] + counts[1]) - percent) < tolerance, "\(counts)")
    }

    @Test(
        "The packer names the place of a field that is not valid",
        arguments: [
            ("{\"guests\": []}", "guests: the list is missing or has the wrong length; give 1 to 16 guests"),
            (
                "{\"guests\": [{\"name\": \"a b\", \"kernel\": \"hello.bin\"}]}",
                "guests[0].name: 'a b' is not valid; names have letters, digits, '.', '_' and '-'"
            ),
            (
                "{\"guests\": [{\"name\": \"a\", \"kernel\": \"hello.bin\", \"memory\": \"3M\"}]}",
                "guests[0].memory: 3M is not a valid size; sizes are multiples of 2M from 4M to 16G"
            ),
            (
                "{\"mode\": \"partitioned\", \"guests\": [{\"name\": \"a\", \"kernel\": \"hello.bin\", \"harts\": []}]}",
                "guests[0].harts: 0 harts for 1 vCPUs; a partition owns a hart for each vCPU"
            ),
            (
                "{\"guests\": [{\"name\": \"a\", \"kernel\": \"none.bin\"}]}",
                "guests[0].kernel: none.bin: No such file or directory; give the path of a file"
            ),
        ])
    func refusals(description: String, message: String) throws {
        try HypervisorImage.guest("hello")
        let (status, output, _) = try HypervisorImage.pack(description)
        #expect(status == 1)
        #expect(output.hasSuffix(": \(message)\n"), "\(output)")
    }
}
