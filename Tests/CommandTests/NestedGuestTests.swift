import Foundation
import GuestToolchain
import Testing

/// A guest of KVM in a Debian guest, on harts with the hypervisor extension: QEMU of Debian runs Debian's kernel.
@Suite(
    "Guests of a Debian guest's KVM", .serialized,
    .enabled("needs a Debian mirror and the tools that build an image") { DebianImage.programs.obstacle == nil })
struct NestedGuestTests {
    /// The arguments are options of QEMU's machine. The inner guest's shell gets its commands when it has shown a prompt.
    private static let script = """
        modprobe kvm
        mkfifo /tmp/input
        timeout 600 qemu-system-riscv64 -M virt$1 -accel kvm -cpu host -smp 2 -m 256M -nographic -no-reboot \\
            -kernel /mnt/kernel -initrd /mnt/initrd -append "console=ttyS0 rdinit=/bin/sh quiet" \\
            </tmp/input >/tmp/output 2>&1 &
        exec 3>/tmp/input
        until grep -q '# ' /tmp/output || ! kill -0 $!; do sleep 0.2; done
        echo 'busybox mount -t proc proc /proc; echo inner $(busybox grep -c ^processor /proc/cpuinfo) harts' >&3
        echo 'busybox cat /proc/interrupts; busybox poweroff -f' >&3
        wait
        cat /tmp/output
        echo outer
        grep riscv-kvm /proc/interrupts || true

        """

    @Test(
        "Linux boots on two harts, with a PLIC that QEMU emulates, and with interrupt files of the harts for guests",
        arguments: ["plic", "aia"])
    func boots(interrupts: String) throws {
        let directory = TemporaryDirectory()
        for name in ["kernel", "initrd"] {
            let file = try DebianImage.programs.file(name)
            try FileManager.default.copyItem(atPath: file, toPath: directory.path(name))
        }
        _ = try directory.file("script", [UInt8](Self.script.utf8))
        let machine = interrupts == "aia" ? ",aia=aplic-imsic" : ""
        let result = try DebianImage.programs.run(
            ["run", "--cpu", "max,h=on", "--interrupts", interrupts, "--cpus", "2", "--memory", "768M"]
                + ["--share", "\(directory.path):/mnt:ro", "debian", "--", "sh", "/mnt/script", machine])
        // A line of the inner console ends with CR and LF, one Character in Swift.
        let output = String(String.UnicodeScalarView(result.output.unicodeScalars.filter { $0 != "\r" }))
        #expect(result.code == 0, "\(output)\(result.error)")
        #expect(output.contains("\ninner 2 harts\n"), "\(output)")
        let parts = output.components(separatedBy: "\nouter\n")
        try #require(parts.count == 2, "\(output)")
        let controller = interrupts == "aia" ? "APLIC-MSI" : "PLIC"
        let console = parts[0].split(separator: "\n").last { $0.contains("ttyS0") && $0.contains(controller) }
        #expect(counts(console).contains { $0 > 0 }, "\(output)")
        // The harts' interrupts for KVM: a guest interrupt file has something for a guest that does not run.
        #expect(counts(parts[1]).contains { $0 > 0 } == (interrupts == "aia"), "\(parts[1])")
    }

    /// Of a line of /proc/interrupts: one for each hart.
    private func counts(_ line: (some StringProtocol)?) -> [Int] {
        (line.map { String($0) } ?? "").split(separator: " ").dropFirst().prefix(2).compactMap { Int($0) }
    }
}
