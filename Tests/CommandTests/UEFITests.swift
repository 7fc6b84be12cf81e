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
        try unpack("qemu-efi-riscv64").appending(path: "usr/share/qemu-efi-riscv64")
    }

    /// The files of a package of Debian's, in a directory that goes with the test.
    private func unpack(_ package: String) throws -> URL {
        let settings = DebianImage.usual.packageCache + "/aerie/debian/trixie-riscv64/apt.conf"
        let directory = aerie.directory.url.appending(path: package)
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: false)
        let fetched = try HostProgram.run(
            "/bin/sh",
            [
                "-c",
                "cd '\(directory.path)' && APT_CONFIG='\(settings)' apt-get download \(package) && dpkg-deb -x *.deb .",
            ])
        try #require(fetched.status == 0, "\(String(decoding: fetched.output, as: UTF8.self))")
        return directory
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

    @Test("EDK2 starts Debian's GRUB, which starts Debian's kernel from its menu")
    func grub() throws {
        let (firmware, package) = try (firmware(), unpack("grub-efi-riscv64-unsigned"))
        let command = Data("sh\0-c\0. /etc/os-release; echo \"$ID $(cat /proc/cmdline)\"\0".utf8).base64EncodedString()
        let menu = """
            set timeout=0
            menuentry "Debian of the test" {
                linux /linux.efi by-grub aerie.root=/dev/vdb console=ttyS0 quiet aerie.command=\(command)
                initrd /initrd.img
            }

            """
        var disk = FATImage()
        disk.add("linux.efi", try Data(contentsOf: URL(filePath: DebianImage.file("kernel"))))
        disk.add("initrd.img", try Data(contentsOf: URL(filePath: DebianImage.file("initrd"))))
        let program = package.appending(path: "usr/lib/grub/riscv64-efi/monolithic/grubriscv64.efi")
        disk.add("grub.efi", try Data(contentsOf: program))
        // Where Debian's build of GRUB looks for its menu.
        disk.add("grub.cfg", in: "debian", below: "efi", Data(menu.utf8))
        disk.add("startup.nsh", Data("@echo -off\r\nfs0:\r\ngrub.efi\r\n".utf8))
        let path = try aerie.directory.file("esp.img", disk.data())
        let result = try aerie.run(
            [
                "run", "--memory", "1G", "--network", "none",
                "--flash", "\(firmware.appending(path: "RISCV_VIRT_CODE.fd").path),readonly",
                "--flash", firmware.appending(path: "RISCV_VIRT_VARS.fd").path,
                "--disk", "\(path),readonly", "--disk", "\(DebianImage.file("root.raw")),readonly",
            ], environment: DebianImage.environment)
        #expect(result.code == 0, "\(result.error)")
        #expect(result.output.contains("Debian of the test"), "\(result.output.suffix(2000))")
        #expect(result.output.contains(#/debian .*by-grub/#), "\(result.output.suffix(2000))")
    }
}
