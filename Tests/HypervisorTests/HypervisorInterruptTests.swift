import Foundation
import Testing

@Suite(
    "Interrupt controllers of the hypervisor's guests", .serialized,
    .enabled(if: HypervisorImage.qemu != nil, "qemu-system-riscv64 is not installed"))
struct HypervisorInterruptTests {
    private static let boards = DeviceBoard.present.filter {
        [.qemu, .qemuIMSIC, .qemuIMSICFiles, .aerieTranslator, .aerieAPLIC, .aerieIMSIC, .aerieIMSICInterpreter]
            .contains($0)
    }

    @Test(
        "A partition has interrupt files where harts have them and else a PLIC, may write anything there, and finds them empty at its next start",
        arguments: boards)
    func controllers(board: DeviceBoard) throws {
        for name in ["controllers", "load"] { try HypervisorImage.guest(name) }
        let lines = try board.run(
            """
            {"mode": "partitioned", "guests": [
                {"name": "wild", "kernel": "controllers.bin", "memory": "8M", "harts": [0],
                    "disk": {"device": 0, "first": 0, "sectors": 8}},
                {"name": "old", "kernel": "controllers.bin", "memory": "8M", "harts": [1], "interrupts": "plic",
                    "disk": {"device": 0, "first": 8, "sectors": 8}},
                {"name": "load", "kernel": "load.bin", "memory": "8M", "harts": [2],
                    "disk": {"device": 0, "first": 16, "sectors": 64}}]}
            """, harts: 3, disk: try DeviceBoard.disk(sectors: 80))
        let kind = board.hasGuestFiles ? "files" : "a PLIC"
        for (name, kind) in [("wild", kind), ("old", "a PLIC")] {
            let start = ["[\(name)] \(kind), reset", "[\(name)] controllers done"]
            #expect(lines.filter { $0.hasPrefix("[\(name)]") } == start + start, "\(lines)")
        }
        #expect(lines.filter { $0.hasPrefix("[load]") } == ["[load] load done, errors 0"])
        #expect(lines.last == "hypervisor: every guest has ended; the machine powers off")
    }

    @Test(
        "Of two partitions that share a hart, because the board has too few, one has its interrupt file",
        arguments: boards.filter(\.hasGuestFiles))
    func sharedHart(board: DeviceBoard) throws {
        try HypervisorImage.guest("controllers")
        let lines = try board.run(
            """
            {"mode": "partitioned", "guests": [
                {"name": "first", "kernel": "controllers.bin", "memory": "8M", "harts": [0],
                    "disk": {"device": 0, "first": 0, "sectors": 8}},
                {"name": "second", "kernel": "controllers.bin", "memory": "8M", "harts": [1],
                    "disk": {"device": 0, "first": 8, "sectors": 8}}]}
            """, harts: 1, disk: try DeviceBoard.disk(sectors: 16))
        let first = ["[first] files, reset", "[first] controllers done"]
        #expect(lines.filter { $0.hasPrefix("[first]") } == first + first, "\(lines)")
        let second = lines.filter { $0.hasPrefix("[second]") }
        try #require(second.count == 4, "\(lines)")
        #expect(second[0] == "[second] a PLIC, reset" && second[1] == "[second] controllers done", "\(lines)")
        #expect(second[3] == "[second] controllers done", "\(lines)")
        // At its restart it may find the file that the first one has left for good.
        let isLeft = try #require(lines.lastIndex(of: first[1])) < #require(lines.lastIndex(of: second[2]))
        #expect(second[2] == "[second] a PLIC, reset" || isLeft && second[2] == "[second] files, reset", "\(lines)")
    }

    @Test("A vCPU with an interrupt file reaches another one without an exit, and has fewer exits for its disk")
    func cost() throws {
        try HypervisorImage.guest("messages")
        func counts(_ interrupts: String) throws -> [String: Int] {
            let lines = try DeviceBoard.aerieIMSICInterpreter.run(
                """
                {"mode": "partitioned", "guests": [{"name": "counts", "kernel": "messages.bin", "memory": "8M", "vcpus": 2,
                    "harts": [0, 1], "disk": {"device": 0}, "interrupts": "\(interrupts)"}]}
                """, harts: 2, disk: try DeviceBoard.disk(sectors: 16))
            let words = lines.filter { $0.hasPrefix("[counts] ") }.map { $0.split(separator: " ") }
            return Dictionary(words.map { (String($0[1]), Int($0.last ?? "") ?? 0) }) { $1 }
        }
        let (files, plic) = (try counts("aia"), try counts("plic"))
        #expect(files["errors"] == 0 && plic["errors"] == 0)
        // A store, a loop and a claim; with calls, the way into the hypervisor and back.
        #expect((5...30).contains(try #require(files["message"])), "\(files)")
        #expect(try #require(plic["message"]) > 200, "\(plic)")
        #expect(try #require(files["read"]) * 10 < plic["read"]! * 9, "\(files) \(plic)")
    }
}
