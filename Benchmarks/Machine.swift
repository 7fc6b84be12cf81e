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
}
