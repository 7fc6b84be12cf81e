import Foundation
import GuestToolchain
import TestSupport
import Testing

/// Debian's build of EDK2 in the flash banks.
@Suite(
    "UEFI", .enabled("needs a Debian mirror and the tools that build an image") { DebianImage.obstacle == nil })
struct UEFITests {
    private let aerie: AerieProcess

    init() throws { aerie = try AerieProcess() }

    /// The directory of the firmware's files.
    private func firmware() throws -> URL {
        let settings = DebianImage.usual.packageCache + "/aerie/debian/trixie-riscv64/apt.conf"
        let directory = aerie.directory.url
        let fetched = try HostProgram.run(
            "/bin/sh",
            [
                "-c",
                "cd '\(directory.path)' && APT_CONFIG='\(settings)' apt-get download qemu-efi-riscv64 && dpkg-deb -x *.deb .",
            ])
        try #require(fetched.status == 0, "\(String(decoding: fetched.output, as: UTF8.self))")
        return directory.appending(path: "usr/share/qemu-efi-riscv64")
    }

    @Test("EDK2 boots Debian's kernel from a disk, and keeps its variables")
    func boot() throws {
        let firmware = try firmware()
        let (code, variables) = (
            firmware.appending(path: "RISCV_VIRT_CODE.fd"), firmware.appending(path: "RISCV_VIRT_VARS.fd")
        )
        let before = try (Data(contentsOf: code), Data(contentsOf: variables))
        let command = Data("sh\0-c\0. /etc/os-release; echo \"$ID $(ls -d /sys/firmware/efi)\"\0".utf8)
            .base64EncodedString()
        let script = """
            @echo -off\r
            fs0:\r
            linux.efi initrd=initrd.img aerie.root=/dev/vdb console=ttyS0 quiet aerie.command=\(command)\r

            """
        var disk = FATImage()
        disk.add("linux.efi", try Data(contentsOf: URL(filePath: DebianImage.file("kernel"))))
        disk.add("initrd.img", try Data(contentsOf: URL(filePath: DebianImage.file("initrd"))))
        // What the firmware's shell runs when it finds nothing else to boot.
        disk.add("startup.nsh", Data(script.utf8))
        let path = try aerie.directory.file("esp.img", disk.data())
        let result = try aerie.run(
            [
                "run", "--memory", "1G", "--network", "none", "--flash", "\(code.path),readonly", "--flash",
                variables.path,
                "--disk", "\(path),readonly", "--disk", "\(DebianImage.file("root.raw")),readonly",
            ], environment: DebianImage.environment)
        #expect(result.code == 0, "\(result.error)")
        #expect(result.output.contains("EDK2 firmware version"))
        // Linux itself says that firmware started it, and which disk its command is from.
        #expect(result.output.contains("debian /sys/firmware/efi"))
        #expect(try Data(contentsOf: code) == before.0)
        // The firmware has noted the devices that it found.
        #expect(try Data(contentsOf: variables) != before.1)
    }
}
