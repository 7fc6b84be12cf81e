import Foundation
import GuestToolchain
import Testing

private let qemu = "/usr/bin/qemu-system-x86_64"

/// Without root the packages would be configured in a guest, through a KVM that can do that.
private var isPossible: Bool {
    #if arch(x86_64)
        geteuid() == 0
    #else
        false
    #endif
}

/// Debian for x86-64: its image, and that on QEMU, a machine whose processor executes all of the kernel, as this host's KVM may
/// not.
@Suite(
    "Debian for x86-64", .serialized,
    .enabled("needs an x86-64 host, root, a Debian mirror and the tools that build an image") {
        isPossible && DebianImage.amd64.obstacle == nil
    })
struct DebianAMD64Tests {
    private func tool(_ name: String, _ arguments: [String]) throws -> (status: Int32, text: String) {
        let path = try #require(
            ["/usr/sbin", "/usr/bin"].map { "\($0)/\(name)" }.first {
                FileManager.default.isExecutableFile(atPath: $0)
            })
        let result = try HostProgram.run(path, arguments)
        return (result.status, String(decoding: result.output, as: UTF8.self))
    }

    @Test("Its disk is sound, every package is configured, and owners and modes are the packages' own")
    func disk() throws {
        let disk = try DebianImage.amd64.file("root.raw")
        #expect(try tool("e2fsck", ["-f", "-n", disk]).status == 0)
        let status = try tool("debugfs", ["-R", "cat /var/lib/dpkg/status", disk]).text
        let states = status.split(separator: "\n").filter { $0.hasPrefix("Status: ") }
        #expect(states.count > 50 && states.allSatisfy { $0 == "Status: install ok installed" })
        #expect(status.contains("Architecture: amd64"))
        let program = try tool("debugfs", ["-R", "stat /usr/bin/su", disk]).text
        #expect(program.contains("Mode:  04755") && program.contains("User:     0   Group:     0"))
        // Its group has a number of its own, which the package's script sets.
        let group = try tool("debugfs", ["-R", "stat /usr/sbin/unix_chkpwd", disk]).text
        #expect(group.contains("Mode:  02755") && group.contains("Group:    42"), "\(group)")
        #expect(try tool("debugfs", ["-R", "ls /var/lib/aerie", disk]).text.contains("stage2") == false)
    }

    @Test("Its initial RAM disk has the modules that the root disk needs, and its kernel is a bzImage")
    func files() throws {
        let ramdisk = try Data(contentsOf: URL(filePath: DebianImage.amd64.file("initrd")))
        for name in ["virtio_blk.ko", "overlay.ko", "boot"] {
            #expect(ramdisk.firstRange(of: Data("lib/modules/\(name)\0".utf8)) != nil, "\(name)")
        }
        let kernel = try Data(contentsOf: URL(filePath: DebianImage.amd64.file("kernel")))
        #expect(kernel[0x202..<0x206] == Data("HdrS".utf8))
    }

    @Test(
        "It boots to a shell on QEMU, from a disk on PCI, and powers off",
        .enabled(if: FileManager.default.isExecutableFile(atPath: qemu), "needs Debian's package qemu-system-x86"))
    func boot() throws {
        let command = "uname -m; dpkg --audit; echo audit=$?; . /etc/os-release; echo $ID $((6 * 7))"
        let words = Data(Array("sh\0-c\0\(command)\0".utf8)).base64EncodedString()
        let image = DebianImage.amd64
        let arguments = [
            "-machine", "q35,accel=tcg", "-cpu", "Nehalem", "-m", "512M", "-nographic", "-no-reboot", "-nic", "none",
            "-kernel", try image.file("kernel"), "-initrd", try image.file("initrd"),
            "-append", "console=ttyS0 quiet oops=panic panic=-1 aerie.command=\(words)",
            "-drive", "file=\(try image.file("root.raw")),snapshot=on,format=raw,if=none,id=root",
            "-device", "virtio-blk-pci,drive=root", "-device", "virtio-rng-pci",
        ]
        var text = ""
        // The translator of QEMU 7.2 miscompiles some code for newer processors always, and for this one now and then: then
        // the kernel stops where it never does otherwise.
        for _ in 0..<3 {
            let result = try HostProgram.run(qemu, arguments, limit: 900)
            text = String(decoding: result.output, as: UTF8.self)
            #expect(result.status == 0 && !result.timedOut)
            if !text.contains("Kernel panic") { break }
        }
        #expect(text.contains("x86_64\r\naudit=0\r\ndebian 42\r\n"), "\(text.suffix(2000))")
    }
}
