import Foundation
import Testing

@Suite(
    "Disks and networks of the hypervisor's guests", .serialized,
    .enabled(if: HypervisorImage.qemu != nil, "qemu-system-riscv64 is not installed"))
struct HypervisorDeviceTests {
    @Test(
        "A guest reads and writes its range of the disk, and nothing else, with interrupts",
        arguments: DeviceBoard.present)
    func ranges(board: DeviceBoard) throws {
        try HypervisorImage.guest("disk")
        let file = try DeviceBoard.disk(sectors: 200)
        let lines = try board.run(
            """
            {"guests": [
                {"name": "a", "kernel": "disk.bin", "memory": "8M", "disk": {"device": 0, "first": 8, "sectors": 40}},
                {"name": "b", "kernel": "disk.bin", "memory": "8M", "disk": {"device": 0, "first": 48, "sectors": 32}},
                {"name": "reader", "kernel": "disk.bin", "memory": "8M",
                    "disk": {"device": 0, "first": 100, "sectors": 100, "readonly": true}},
                {"name": "far", "kernel": "disk.bin", "memory": "8M", "disk": {"device": 0, "first": 201, "sectors": 9}},
                {"name": "none", "kernel": "disk.bin", "memory": "8M", "disk": {"device": 3, "first": 0, "sectors": 1}}]}
            """, harts: 2, disk: file)
        #expect(lines.contains("hypervisor: disk 0: sectors 200"))
        for (name, sectors) in [("a", 40), ("b", 32)] {
            #expect(
                lines.filter { $0.hasPrefix("[\(name)]") } == [
                    "[\(name)] sectors \(sectors), id \(name)", "[\(name)] written", "[\(name)] interrupt",
                    "[\(name)] read back", "[\(name)] refusals 111112",
                ])
        }
        #expect(
            lines.filter { $0.hasPrefix("[reader]") } == [
                "[reader] sectors 100, id reader", "[reader] interrupt", "[reader] read back",
                "[reader] refusals 111111",
            ])
        #expect(
            lines.contains(
                "hypervisor: guest far does not start: its range begins behind the end of the board's disk; change 'first', or attach a larger disk"
            ))
        #expect(
            lines.contains(
                "hypervisor: guest none does not start: the board has no disk of the number in GUESTS.json; attach one, or change 'device'"
            ))
        var expected = [UInt8](repeating: UInt8(ascii: "."), count: 200 * 512)
        func write(_ sector: Int, _ byte: UInt8) {
            for place in sector * 512..<(sector + 1) * 512 { expected[place] = byte }
        }
        for (first, last, letter) in [(8, 47, UInt8(ascii: "a")), (48, 79, UInt8(ascii: "b"))] {
            for sector in 0..<16 { write(first + sector, letter + UInt8(sector)) }
            write(last, letter)
        }
        #expect([UInt8](try Data(contentsOf: URL(filePath: file))) == expected)
    }

    @Test(
        "A broken queue stops its device until a reset; resets, reboots and ends wait for requests in flight",
        arguments: [DeviceBoard.qemuLegacy, .aerieTranslator])
    func brokenQueues(board: DeviceBoard) throws {
        for name in ["broken", "load"] { try HypervisorImage.guest(name) }
        let lines = try board.run(
            """
            {"guests": [
                {"name": "broken", "kernel": "broken.bin", "memory": "8M", "disk": {"device": 0, "first": 0, "sectors": 256}},
                {"name": "load", "kernel": "load.bin", "memory": "8M", "disk": {"device": 0, "first": 256, "sectors": 256}}]}
            """, harts: 2, disk: try DeviceBoard.disk(sectors: 512))
        let report = ["[broken] noticed 22, recovered 23", "[broken] clean resets 20"]
        #expect(
            lines.filter { $0.hasPrefix("[broken]") } == report + ["[broken] first start"] + report
                + ["[broken] second start"])
        #expect(lines.contains("hypervisor: guest broken restarts"))
        #expect(lines.contains("hypervisor: guest broken has ended"))
        #expect(lines.filter { $0.hasPrefix("[load]") } == ["[load] load done, errors 0"])
        #expect(lines.last == "hypervisor: every guest has ended; the machine powers off")
    }

    @Test(
        "A guest that asks for much at once gets all of it in bounded pieces, beside other guests that do the same",
        arguments: [DeviceBoard.qemuLegacy, .qemu, .aerieTranslator] + DeviceBoard.withAPLIC)
    func floods(board: DeviceBoard) throws {
        for name in ["flood", "load"] { try HypervisorImage.guest(name) }
        let lines = try board.run(
            """
            {"guests": [
                {"name": "a", "kernel": "flood.bin", "memory": "8M", "network": true,
                    "disk": {"device": 0, "first": 0, "sectors": 16}},
                {"name": "b", "kernel": "flood.bin", "memory": "8M", "network": true,
                    "disk": {"device": 0, "first": 16, "sectors": 16}},
                {"name": "load", "kernel": "load.bin", "memory": "8M", "disk": {"device": 0, "first": 32, "sectors": 64}}]}
            """, harts: 2, disk: try DeviceBoard.disk(sectors: 96))
        #expect(lines.contains("[a] unsupported 128, read 85, sent 256"))
        #expect(lines.contains("[b] unsupported 128, read 85, sent 256"))
        #expect(lines.contains("[load] load done, errors 0"))
        #expect(lines.last == "hypervisor: every guest has ended; the machine powers off")
    }

    @Test(
        "A queue that one partition refills for ever takes neither that partition's hart nor another one's",
        arguments: [DeviceBoard.qemu, .aerieTranslator, .aerieAPLIC, .aerieIMSIC])
    func endlessQueue(board: DeviceBoard) throws {
        try HypervisorImage.guest("refill")
        let lines = try board.run(
            """
            {"mode": "partitioned", "guests": [
                {"name": "endless", "kernel": "refill.bin", "memory": "8M", "vcpus": 2, "network": true,
                    "harts": [0, 1]},
                {"name": "counter", "kernel": "refill.bin", "memory": "8M", "harts": [2]}]}
            """, harts: 3, disk: try DeviceBoard.disk(sectors: 8))
        #expect(lines.contains("[endless] served, the hart is free"))
        #expect(lines.contains("[counter] loops 20000, messages as sent, timers as set"))
    }

    @Test(
        "Random accesses and queues of one guest do not disturb another one's disk, nor the rest of the disk",
        arguments: [DeviceBoard.qemu, .qemuLegacy, .aerieTranslator, .aerieIMSIC])
    func fuzz(board: DeviceBoard) throws {
        for name in ["fuzz", "load"] { try HypervisorImage.guest(name) }
        let file = try DeviceBoard.disk(sectors: 512)
        let lines = try board.run(
            """
            {"guests": [
                {"name": "fuzz", "kernel": "fuzz.bin", "memory": "8M", "network": true,
                    "disk": {"device": 0, "first": 64, "sectors": 64}},
                {"name": "load", "kernel": "load.bin", "memory": "8M", "network": true,
                    "disk": {"device": 0, "first": 256, "sectors": 128}}]}
            """, harts: 2, disk: file)
        #expect(lines.filter { $0.hasPrefix("[fuzz]") } == ["[fuzz] fuzz done"])
        #expect(lines.filter { $0.hasPrefix("[load]") } == ["[load] load done, errors 0"])
        #expect(lines.last == "hypervisor: every guest has ended; the machine powers off")
        let content = try Data(contentsOf: URL(filePath: file))
        for range in [0..<64, 128..<256, 384..<512] {
            #expect(content[range.lowerBound * 512..<range.upperBound * 512].allSatisfy { $0 == UInt8(ascii: ".") })
        }
    }

    @Test(
        "Partitions share a disk by ranges and a switch; a frame with another source is dropped, and unicast reaches its target only",
        arguments: [DeviceBoard.qemuLegacy, .qemu, .aerieTranslator] + DeviceBoard.withAPLIC)
    func frames(board: DeviceBoard) throws {
        for name in ["frames", "load"] { try HypervisorImage.guest(name) }
        let lines = try board.run(
            """
            {"mode": "partitioned", "guests": [
                {"name": "caller", "kernel": "frames.bin", "memory": "8M", "network": true, "harts": [0]},
                {"name": "one", "kernel": "frames.bin", "memory": "8M", "network": true, "harts": [1]},
                {"name": "two", "kernel": "frames.bin", "memory": "8M", "network": true, "harts": [2]},
                {"name": "load", "kernel": "load.bin", "memory": "8M", "harts": [3],
                    "disk": {"device": 0, "first": 0, "sectors": 64}}]}
            """, harts: 4, disk: try DeviceBoard.disk(sectors: 64))
        #expect(lines.filter { $0.hasPrefix("[caller]") } == ["[caller] answers of 1 and 2"])
        #expect(lines.filter { $0.hasPrefix("[one]") } == ["[one] foreign 0, forged 0"])
        #expect(lines.filter { $0.hasPrefix("[two]") } == ["[two] foreign 0, forged 0"])
        #expect(lines.filter { $0.hasPrefix("[load]") } == ["[load] load done, errors 0"])
    }

    @Test(
        "Guests reach the outside by the board's card, each with its own address",
        arguments: [("virt", "true"), ("virt", "false")]
            + (DeviceBoard.present.contains(.qemuAPLIC)
                ? [("virt,aia=aplic", "false"), ("virt,aia=aplic-imsic", "true")] : []))
    func outside(machine: String, isLegacy: String) throws {
        try HypervisorImage.guest("outside")
        let lines = try HypervisorImage.run(
            """
            {"guests": [
                {"name": "a", "kernel": "outside.bin", "memory": "8M", "network": true},
                {"name": "b", "kernel": "outside.bin", "memory": "8M", "network": true}]}
            """, harts: 2, machine: machine,
            devices: [
                "-global", "virtio-mmio.force-legacy=\(isLegacy)", "-netdev", "user,id=outside", "-device",
                "virtio-net-device,netdev=outside,mac=52:54:00:00:00:09",
            ])
        #expect(lines.contains("hypervisor: network card: 52:54:00:00:00:09"))
        #expect(lines.contains("[a] 10.0.2.2 is at 52:55:0a:00:02:02"))
        #expect(lines.contains("[b] 10.0.2.2 is at 52:55:0a:00:02:02"))
    }

    @Test(
        "The packer names the place of a disk or network that is not valid",
        arguments: [
            (
                #""disk": {"device": 9}"#,
                "guests[0].disk.device: 9 is not valid; give a number from 0 to 7"
            ),
            (
                #""disk": {"first": 0}"#,
                "guests[0].disk.device: null is not valid; give a number from 0 to 7"
            ),
            (
                #""disk": {"device": 0, "sectors": 0}"#,
                "guests[0].disk.sectors: 0 is not valid; give a number from 1 to 36028797018963968"
            ),
            (
                #""disk": {"device": 0, "size": 1}"#,
                "guests[0].disk.size: the field is not known; fields are device, first, readonly, sectors"
            ),
            (
                #""disk": {"device": 0, "readonly": 1}"#,
                "guests[0].disk.readonly: 1 is not valid; give true or false"
            ),
            (#""interrupts": "aplic""#, "guests[0].interrupts: \"aplic\" is not valid; give \"aia\" or \"plic\""),
            (#""network": "user""#, "guests[0].network: \"user\" is not valid; give true or false"),
            (
                #""disk": {"device": 0, "first": 15, "readonly": true}"#,
                "guests[1].disk: the range overlaps that of guests[0].disk; only ranges that are read-only may overlap"
            ),
            (#""disk": {"device": 0, "first": 16, "sectors": 9}, "network": false"#, nil),
            (#""disk": {"device": 1, "first": 8, "sectors": 9}, "network": true"#, nil),
        ])
    func refusals(fields: String, message: String?) throws {
        try HypervisorImage.guest("hello")
        let (status, output, _) = try HypervisorImage.pack(
            """
            {"guests": [{"name": "a", "kernel": "hello.bin", \(fields)},
                {"name": "b", "kernel": "hello.bin", "disk": {"device": 0, "first": 8, "sectors": 8}}]}
            """)
        #expect(status == (message == nil ? 0 : 1))
        #expect(output.hasSuffix(message.map { ": \($0)\n" } ?? ""), "\(output)")
    }
}
