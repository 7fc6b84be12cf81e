extension Configuration {
    /// Words of Linux's command line by which a riscv64 guest reports a panic: it resets at once, and warm, which is an ordinary reset's choice
    /// only where a user asks for it (Documentation/admin-guide/kernel-parameters.txt, `panic` and `reboot`).
    package static let panicWords = "panic=-1 reboot=panic_warm"

    /// Whether a warm reset by the SBI says that the guest's kernel has panicked: the kernel's command line has `reboot=panic_warm`.
    ///
    /// Linux for riscv64 as Debian builds it has no driver for the device that reports panics (`pvpanic`).
    var reportsPanicByWarmReset: Bool {
        architecture == .riscv64 && commandLine.split(separator: " ").contains("reboot=panic_warm")
    }
}
