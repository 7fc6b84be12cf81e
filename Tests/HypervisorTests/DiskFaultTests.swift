import Foundation
import GuestToolchain
import TestSupport
import Testing

@Suite(
    "Faults of the board's disk under the hypervisor", .serialized,
    .enabled(if: HypervisorImage.qemu != nil, "qemu-system-riscv64 is not installed"))
struct DiskFaultTests {
    /// On this disk flushes fail, and nothing else does.
    @Test("A write of a driver without VIRTIO_BLK_F_FLUSH ends with a flush, that of a driver with it does not")
    func flushes() throws {
        try HypervisorImage.guest("unflushed")
        let rule = try HypervisorImage.directory.file(
            "\(UUID().uuidString).conf",
            [UInt8]("[inject-error]\nevent = \"none\"\niotype = \"flush\"\nerrno = \"5\"\nonce = \"off\"\n".utf8))
        let lines = try DeviceBoard.qemu.run(
            #"{"guests": [{"name": "a", "kernel": "unflushed.bin", "memory": "8M", "disk": {"device": 0}}]}"#,
            harts: 1, disk: "blkdebug:\(rule):\(try DeviceBoard.disk(sectors: 16))")
        #expect(lines.contains("[a] statuses 1001"), "\(lines)")
    }

    @Test("A disk that asks for a reset starts again: the request that it had fails, and later ones work")
    func resets() throws {
        try HypervisorImage.guest("pages")
        let (status, output, image) = try HypervisorImage.pack(
            #"{"guests": [{"name": "a", "kernel": "pages.bin", "memory": "8M", "disk": {"device": 0}}]}"#)
        try #require(status == 0, "\(output)")
        let directory = TemporaryDirectory()
        let (console, socket) = (directory.path("console"), directory.path("gdb"))
        let memory: UInt64 = 128 << 20
        let qemu = try ChildProgram(
            try #require(HypervisorImage.qemu),
            [
                "-M", "virt", "-cpu", "rv64,h=true", "-smp", "1", "-m", "\(memory >> 20)M", "-display", "none",
                "-monitor", "none", "-serial", "file:\(console)", "-global", "virtio-mmio.force-legacy=false",
                "-drive", "file=\(try DeviceBoard.disk(sectors: 512)),format=raw,if=none,id=disk",
                "-device", "virtio-blk-device,drive=disk", "-kernel", image,
                "-chardev", "socket,path=\(socket),server=on,wait=off,id=gdb", "-gdb", "chardev:gdb",
            ], output: nil, error: nil)
        defer { qemu.kill() }
        func lines() -> [String] {
            let text = (try? String(contentsOfFile: console, encoding: .utf8)) ?? ""
            return text.split(whereSeparator: \.isNewline).map(String.init)
        }
        try #require(Patience.wait { lines().contains("[a] count 5") || !qemu.isRunning })
        try breakQueue(DebuggerConnection(socket), memory: memory)
        let report = "hypervisor: disk 0 asked for a reset: the requests that it had fail"
        let goesOn = Patience.wait {
            let after = lines().drop { $0 != report }
            return after.filter { $0.hasPrefix("[a] count ") }.count > 20
        }
        #expect(goesOn, "\(lines().suffix(20))")
        #expect(lines().filter { $0 == report }.count == 1)
        // The request at that time, and the read of a page that it did not write.
        #expect((1...2).contains(lines().filter { $0.hasPrefix("[a] wrong ") }.count), "\(lines())")
    }

    /// Links the first descriptor of the hypervisor's queue to one behind the queue's end, which QEMU's device does not stand.
    private func breakQueue(_ debugger: DebuggerConnection, memory: UInt64) throws {
        let start: UInt64 = 0x8000_0000
        // The queue is at the start of a chunk; a free descriptor is linked to its neighbour.
        let place = try stride(from: start, to: start + memory, by: 2 << 20).first { chunk in
            let table = try debugger.read(chunk, 1024)
            return table.count == 1024 && (10..<64).allSatisfy { table[16 * $0 + 14] == UInt8($0 + 1) }
        }
        let queue = try #require(place, "no queue in memory")
        try debugger.write(queue + 14, 0x2C)
        try debugger.write(queue + 15, 1)
        try debugger.detach()
    }
}
