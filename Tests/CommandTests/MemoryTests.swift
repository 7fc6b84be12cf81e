import Foundation
import GuestToolchain
import TestSupport
import Testing

/// Debian's memory, which goes back to the host and comes again.
@Suite(
    "Debian's memory", .serialized,
    .enabled("needs a Debian mirror and the tools that build an image") { DebianImage.obstacle == nil })
struct MemoryTests {
    private static let size: UInt64 = 512 << 20

    /// The figures of `memory`.
    private struct Figures {
        let current: UInt64
        let resident: UInt64
        let returned: UInt64
        let available: UInt64
    }

    private func figures(_ host: MachineHost) throws -> Figures {
        host.send("memory")
        let words = try #require(host.nextAnswer()).split(separator: " ").compactMap { UInt64($0) }
        try #require(words.count == 4)
        return Figures(current: words[0], resident: words[1], returned: words[2], available: words[3])
    }

    /// Waits until the figures are as wanted. Each look is work for the guest.
    private func wait(_ host: MachineHost, until condition: (Figures) -> Bool) throws {
        try #require(
            try Patience.wait {
                if condition(try figures(host)) { return true }
                usleep(100_000)
                return false
            })
    }

    /// The host's memory as the machine sees it: a file of always the same length, which is written in place.
    private static func meminfo(available percent: Int) -> Data {
        Data("MemTotal: 100 kB\nMemAvailable: \(percent < 10 ? "0" : "")\(percent) kB\n".utf8)
    }

    @Test("A gigabyte comes to a running guest, is used, is saved and restored, and goes back to the host")
    func growth() throws {
        let script = """
            stty -echo; mount -o remount,size=700M /dev/shm
            until [ -e /sys/module/virtio_balloon ]; do sleep 0.2; done; echo =ready; read line
            head -c 1000000 /dev/urandom >/run/part
            for part in $(seq 500); do cat /run/part; done >/dev/shm/data
            echo "=sum $(md5sum </dev/shm/data)"; read line
            echo "=again $(md5sum </dev/shm/data)"; rm /dev/shm/data; echo =free; read line
            """
        let command = Data(["sh", "-c", script].flatMap { Array($0.utf8) + [0] }).base64EncodedString()
        let directory = TemporaryDirectory()
        let object: [String: Any] = [
            "kernel": try DebianImage.file("kernel"), "initrd": try DebianImage.file("initrd"),
            "rootDisk": try DebianImage.file("root.raw"), "dataDisk": try directory.file("disk", Data(count: 4096)),
            "cpus": 1, "memory": 256, "maxMemory": 1280, "engine": "translate",
            "commandLine": "console=ttyS0 quiet aerie.command=\(command)",
        ]
        let settings = try directory.file("settings", try JSONSerialization.data(withJSONObject: object))
        var host = try MachineHost([settings], in: directory)
        func sum(_ word: String) throws -> Substring {
            // A serial port's output comes in pieces.
            let line = try Regex("=\(word) ([0-9a-f]{32}) ", as: (Substring, Substring).self)
            var found: Substring?
            let isThere = Patience.wait {
                found = host.output.firstMatch(of: line)?.1
                return found != nil || !host.isRunning
            }
            try #require(isThere && host.isRunning)
            return try #require(found)
        }
        try #require(Patience.wait { host.output.contains("=ready") || !host.isRunning } && host.isRunning)
        let (start, most): (UInt64, UInt64) = (256 << 20, 1280 << 20)
        try wait(host) { $0.current == start }
        host.send("target \(most)")
        try wait(host) { $0.current == most }
        host.send("type fill")
        let first = try sum("sum")
        #expect(try figures(host).resident > 500_000_000)

        host.send("save \(directory.path("saved"))")
        #expect(host.nextAnswer() == "saved")
        // Its lock on the disk goes with it.
        host.kill()
        host = try MachineHost([settings, directory.path("saved")], in: directory)
        host.send("type sum")
        #expect(try sum("again") == first)
        try #require(Patience.wait { host.output.contains("=free") || !host.isRunning } && host.isRunning)
        let full = host.residentSize
        host.send("target \(start)")
        try wait(host) { $0.current == start }
        #expect(try figures(host).resident <= start)
        #expect(host.residentSize < full - 200_000_000)
        host.send("type end")
        #expect(host.nextAnswer() == "ended: poweredOff")
    }

    @Test(
        "Memory that the guest frees goes back to the host by itself, more on request, and spare memory under pressure")
    func memory() throws {
        // Free pages are reported some seconds after the driver is there and after they became free.
        let script = """
            stty -echo; mount -o remount,size=90% /dev/shm
            until [ -e /sys/module/virtio_balloon ]; do sleep 0.2; done
            head -c 300000000 /dev/zero >/dev/shm/data; echo =full; read line; rm /dev/shm/data; echo =free; read line
            """
        let command = Data(["sh", "-c", script].flatMap { Array($0.utf8) + [0] }).base64EncodedString()
        let directory = TemporaryDirectory()
        let object: [String: Any] = [
            "kernel": try DebianImage.file("kernel"), "initrd": try DebianImage.file("initrd"),
            "rootDisk": try DebianImage.file("root.raw"), "dataDisk": try directory.file("disk", Data(count: 4096)),
            "cpus": 1, "memory": Self.size >> 20, "engine": "translate",
            "meminfo": try directory.file("meminfo", Self.meminfo(available: 15)),
            "commandLine": "console=ttyS0 quiet aerie.command=\(command)",
        ]
        let settings = try directory.file("settings", try JSONSerialization.data(withJSONObject: object))
        let host = try MachineHost([settings], in: directory)
        try #require(Patience.wait { host.output.contains("=full") || !host.isRunning } && host.isRunning)
        let full = try figures(host)
        let fullProcess = host.residentSize
        #expect(full.resident > 300_000_000)
        #expect(full.current == Self.size)

        host.send("type free")
        try wait(host) { $0.resident < full.resident - 200_000_000 }
        #expect(host.residentSize < fullProcess - 200_000_000)
        #expect(try figures(host).returned > 200_000_000)

        // The guest has a little more than the kernel needs, and then everything again.
        let target: UInt64 = 200 << 20
        host.send("target \(target)")
        try wait(host) { $0.current == target }
        #expect(try figures(host).resident <= target)
        try wait(host) { $0.available > 0 && $0.available < target }
        host.send("target \(Self.size)")
        try wait(host) { $0.current == Self.size }
        try wait(host) { $0.available > target }

        // The host is short of memory, and then it has plenty again.
        let meminfo = try FileHandle(forWritingTo: URL(filePath: directory.path("meminfo")))
        try meminfo.write(contentsOf: Self.meminfo(available: 5))
        try wait(host) { $0.current < 300 << 20 }
        #expect(try figures(host).current >= Self.size / 4)
        try meminfo.seek(toOffset: 0)
        try meminfo.write(contentsOf: Self.meminfo(available: 50))
        try wait(host) { $0.current == Self.size }
        host.send("type end")
        #expect(host.nextAnswer() == "ended: poweredOff")
    }
}
