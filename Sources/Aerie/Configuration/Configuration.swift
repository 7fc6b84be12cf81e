/// Everything that makes a virtual machine what it is, before it starts.
public struct Configuration: Equatable, Sendable {
    /// An instruction set of guests.
    public enum Architecture: String, CaseIterable, Sendable {
        case riscv64
        case x86_64
        case aarch64
    }

    /// What executes the vCPUs.
    public enum Engine: String, CaseIterable, Sendable {
        /// The fastest that this host has for the architecture.
        case auto
        case kvm
        case translate
        case interpret
    }

    /// How the guest finds its virtio devices.
    public enum Transport: String, CaseIterable, Sendable {
        /// Registers at fixed addresses, which the device tree names.
        case mmio
        /// The same with the registers of the legacy interface (VIRTIO 1.2, section 4.2.4), for kernels that know no other.
        case mmioLegacy = "mmio-legacy"
        /// Functions of a PCI Express bus.
        case pci
    }

    /// Where the guest's console is.
    public enum Console: String, CaseIterable, Sendable {
        /// The 16550A UART: `ttyS0` of a Linux guest.
        case serial
        /// A virtio console: `hvc0`.
        case virtio
    }

    /// How many vCPUs a machine may have.
    public static let cpuRange = 1...64
    /// How much memory a machine may have.
    public static let memoryRange = ByteSize.mebibytes(1)...ByteSize.mebibytes(1 << 20)

    /// How much room for translated code a machine may have.
    public static let codeCacheRange = ByteSize.mebibytes(4)...ByteSize.mebibytes(1024)

    /// The guest's instruction set.
    public var architecture = Architecture.riscv64
    /// What executes its vCPUs.
    public var engine = Engine.auto
    /// The path of a file for what the translator makes: guest code, intermediate representation and host code of each
    /// block. What was there is replaced; the file grows to some hundred megabytes when a distribution boots.
    public var translationTrace: String?
    /// Room for the code that the translator makes, which all vCPUs share: 4M to 1G. It is taken as it is used; when it is full,
    /// the code of least use makes room. Nil for a quarter of the guest's memory, but 64M to 256M.
    public var codeCache: ByteSize?
    /// How many vCPUs: 1 to 64.
    public var cpus = 1
    /// The processor of a riscv64 guest; nil for the default one, and for other guests.
    public var processor: Processor?
    /// The guest's memory: 1M to 1024G, in whole pages of 4 KiB.
    public var memory = ByteSize.mebibytes(512)
    /// The path of a kernel: flat `Image`, the same compressed, EFI zboot, or ELF for riscv64; `bzImage` or ELF with a PVH
    /// entry for x86_64. Nil when firmware finds its own.
    public var kernel: String?
    /// The path of the kernel's initial RAM disk.
    public var initrd: String?
    /// The kernel's command line: up to 2047 bytes without NUL.
    public var commandLine = ""
    /// The path of firmware to start at reset. For riscv64: in machine mode; nil for the SBI of the machine's own. For x86_64: a
    /// chip of whole pages up to 16 MiB that ends at 4 GiB, with the reset vector in its last 16 bytes; nil when there is a
    /// kernel, which it does not take.
    public var firmware: String?
    /// The guest's disks, in the order in which it finds them; at most 4.
    public var disks: [Disk] = []
    /// How the guest finds its virtio devices; nil for the machine's usual way: `mmio` on riscv64, `pci` on x86_64, which
    /// has no other.
    public var transport: Transport?
    /// Where the guest's console is.
    public var console = Console.serial
    /// Whether the guest has a second virtio console on which the host tells its init to power off, as images made by
    /// Aerie expect; it comes after `console`, if that is virtio too.
    public var hasControlPort = false
    /// Whether a guest that asks for a reset starts anew; otherwise a reset ends the machine.
    public var restartsOnReset = true

    /// The default machine: one riscv64 vCPU and 512 MiB, with nothing to boot.
    public init() {}
}
