import Foundation
import GuestToolchain
import Testing

@Suite(
    "Debian under the hypervisor",
    .enabled("needs a Debian mirror and the tools that build an image") { DebianImage.obstacle == nil })
struct HypervisorDebianTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    private static let bytes = 4 << 30
    /// Writes a file, reads it from the disk again, and sends it from guest a to guest b.
    private static let script = """
        #!/bin/bash
        PATH=/usr/sbin:/usr/bin:/sbin:/bin
        read name </sys/block/vda/serial
        seq 1 200000 >/data
        sync
        echo 3 >/proc/sys/vm/drop_caches
        echo "file $(md5sum </data)"
        modprobe virtio_net
        ip link set eth0 up
        if [ "$name" = a ]; then
            ip addr add 10.9.0.1/24 dev eth0
            busybox nc -l -p 99 -e cat /data
        else
            ip addr add 10.9.0.2/24 dev eth0
            until exec 3<>/dev/tcp/10.9.0.1/99; do sleep 0.2; done 2>/dev/null
            echo "network $(md5sum <&3)"
        fi
        echo "messages $(grep -c APLIC-MSI /proc/interrupts)"
        sync
        mount -o remount,ro /
        busybox poweroff -f

        """

    @Test(
        "Two Debian guests have file systems on ranges of one disk, and a TCP connection by the switch",
        arguments: [("scheduled", "plic"), ("scheduled", "aia"), ("partitioned", "aplic"), ("partitioned", "aia")])
    func twoGuests(mode: String, interrupts: String) throws {
        let aerie = try AerieProcess()
        let disk = try makeDisk(aerie.directory)
        let image = try makeImage(aerie.directory, mode)
        let result = try aerie.run([
            "run", "--kernel", image, "--cpu", "max,h=on", "--cpus", "2", "--memory", "1280M", "--transport", "mmio",
            "--disk", disk, "--network", "none", "--interrupts", interrupts,
        ])
        let lines = result.output.split(whereSeparator: \.isNewline).map(String.init)
        // seq 1 200000 | md5sum
        let sum = "0e10426a1d5bddffcef02f1345787128  -"
        #expect(lines.contains("[a] file \(sum)"), "\(lines.suffix(40).joined(separator: "\n"))")
        #expect(lines.contains("[b] file \(sum)"))
        #expect(lines.contains("[b] network \(sum)"))
        // Of the serial port, the disk and the card, to interrupt files of partitions.
        let messages = mode == "partitioned" && interrupts == "aia" ? 3 : 0
        for name in ["a", "b"] { #expect(lines.contains("[\(name)] messages \(messages)")) }
        #expect(lines.last == "hypervisor: every guest has ended; the machine powers off")
        #expect(result.code == 0)
        for offset in [0, Self.bytes] {
            let check = try HostProgram.run("/usr/sbin/e2fsck", ["-fn", "\(disk)?offset=\(offset)"])
            #expect(check.status == 0, "\(String(decoding: check.output, as: UTF8.self))")
        }
    }

    /// Debian's root file system twice, one after the other, each with the script.
    private func makeDisk(_ directory: TemporaryDirectory) throws -> String {
        let disk = directory.path("disk.raw")
        let script = try directory.file("script", [UInt8](Self.script.utf8))
        try check("/bin/cp", ["--sparse=always", try DebianImage.file("root.raw"), disk])
        // A new file of debugfs is not executable; the mode is that of a regular file with 0755.
        for command in ["write \(script) /hypervisor-test", "set_inode_field /hypervisor-test mode 0100755"] {
            try check("/usr/sbin/debugfs", ["-w", "-R", command, disk])
        }
        let copy = directory.path("copy.raw")
        try check("/bin/cp", ["--sparse=always", disk, copy])
        try check(
            "/bin/dd", ["if=\(copy)", "of=\(disk)", "bs=1M", "seek=\(Self.bytes >> 20)", "conv=sparse,notrunc"])
        try FileManager.default.removeItem(atPath: copy)
        let handle = try directory.writer(disk)
        try handle.truncate(atOffset: UInt64(2 * Self.bytes))
        return disk
    }

    private func makeImage(_ directory: TemporaryDirectory, _ mode: String) throws -> String {
        let toolchain = try #require(Toolchain.directory, "no swift in PATH, so no compiler beside it")
        let hypervisor = directory.path("hypervisor.bin")
        try check(
            "/bin/sh",
            [Self.root.appending(path: "hypervisor/build").path, toolchain, hypervisor, directory.path("scratch")])
        let kernel = try DebianImage.file("kernel")
        let initialDisk = try DebianImage.file("initrd")
        let sectors = Self.bytes / 512
        let harts = mode == "partitioned" ? [#", "harts": [0]"#, #", "harts": [1]"#] : ["", ""]
        let guests = ["a", "b"].enumerated().map { index, name in
            """
            {"name": "\(name)", "kernel": "\(kernel)", "initrd": "\(initialDisk)", "memory": "384M", "network": true,
                "append": "console=ttyS0 quiet rw init=/hypervisor-test",
                "disk": {"device": 0, "first": \(index * sectors), "sectors": \(sectors)}\(harts[index])}
            """
        }
        let table = try directory.file(
            "guests.json", [UInt8]("{\"mode\": \"\(mode)\", \"guests\": [\(guests.joined(separator: ","))]}".utf8))
        let image = directory.path("image")
        try check(
            Self.root.appending(path: "scripts/hypervisor-image").path,
            [table, "-o", image, "--hypervisor", hypervisor])
        return image
    }

    private func check(_ path: String, _ arguments: [String]) throws {
        let result = try HostProgram.run(path, arguments)
        guard result.status == 0 else {
            throw HostProgram.Failure(description: String(decoding: result.output.suffix(4000), as: UTF8.self))
        }
    }
}
