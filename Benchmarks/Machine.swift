import Foundation

/// A virtual machine monitor under test: QEMU, or an `aerie` program with one of its engines.
struct Machine {
    /// The name in the report.
    let name: String
    let path: String
    /// Nil for QEMU.
    let engine: String?

    /// The arguments for a flat program that runs in M-mode from the start of memory.
    func arguments(program: String) -> [String] {
        if let engine { return ["run", "--engine", engine, "--memory", "512M", "--firmware", program] }
        return [
            "-machine", "virt", "-m", "512M", "-display", "none", "-monitor", "none", "-serial", "stdio", "-no-reboot",
            "-bios", program,
        ]
    }

    /// The arguments for Linux with an initial RAM disk. Its console is standard output.
    func arguments(kernel: String, initrd: String) -> [String] {
        let append = "console=ttyS0 quiet"
        if let engine {
            return [
                "run", "--engine", engine, "--memory", "512M", "--kernel", kernel, "--initrd", initrd, "--append",
                append,
            ]
        }
        return [
            "-machine", "virt", "-m", "512M", "-display", "none", "-monitor", "none", "-serial", "stdio", "-no-reboot",
            "-kernel", kernel, "-initrd", initrd, "-append", append,
        ]
    }

    /// The arguments for Debian on its root disk, whose changes are discarded, with a second disk, and a third that it may write.
    /// `command` runs on the console; then the guest powers off.
    func arguments(_ files: DebianFiles, second: String, third: String? = nil, command: [String]) -> [String] {
        let words = Data(command.flatMap { Array($0.utf8) + [0] }).base64EncodedString()
        let append = "console=ttyS0 quiet root=/dev/vda aerie.command=\(words)"
        if let engine {
            return [
                "run", "--engine", engine, "--memory", "512M", "--kernel", files.kernel, "--initrd", files.initrd,
                "--append", append, "--disk", files.disk, "--disk", "\(second),readonly", "--read-only",
            ] + (third.map { ["--disk", $0] } ?? [])
        }
        // QEMU numbers its virtio-mmio buses from the last slot to the first.
        func disk(_ number: Int, _ path: String, _ more: String) -> [String] {
            [
                "-drive", "file=\(path),format=raw,if=none,id=d\(number),\(more)", "-device",
                "virtio-blk-device,drive=d\(number),bus=virtio-mmio-bus.\(7 - number)",
            ]
        }
        return [
            "-machine", "virt", "-m", "512M", "-display", "none", "-monitor", "none", "-serial", "stdio", "-no-reboot",
            "-kernel", files.kernel, "-initrd", files.initrd, "-append", append,
        ] + disk(0, files.disk, "snapshot=on") + disk(1, second, "readonly=on")
            + (third.map { disk(2, $0, "cache=writeback") } ?? [])
    }
}
