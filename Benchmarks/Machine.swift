/// What runs guests: QEMU, or a program `aerie` with one of its engines.
struct Machine {
    /// How the report calls it.
    let name: String
    let path: String
    /// nil for QEMU.
    let engine: String?

    /// The arguments that run a flat program in M-mode from the start of memory.
    func arguments(program: String) -> [String] {
        if let engine { return ["run", "--engine", engine, "--memory", "512M", "--firmware", program] }
        return [
            "-machine", "virt", "-m", "512M", "-display", "none", "-monitor", "none", "-serial", "stdio", "-no-reboot",
            "-bios", program,
        ]
    }

    /// The arguments that start Linux with an initial RAM disk; what it writes to its console is standard output.
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
}
