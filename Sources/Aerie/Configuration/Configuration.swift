/// The settings of a virtual machine.
///
/// A new configuration is the default machine. `validate()` checks the values; `VirtualMachine.init` calls it.
public struct Configuration: Codable, Equatable, Sendable {
    /// A guest's instruction set architecture.
    public enum Architecture: String, CaseIterable, Codable, Sendable {
        /// 64-bit RISC-V, on every host.
        case riscv64
        /// x86-64, on x86-64 hosts with KVM.
        case x86_64
        /// 64-bit Arm. No engine of this version runs it.
        case aarch64
    }

    /// The engine that executes the vCPUs.
    public enum Engine: String, CaseIterable, Codable, Sendable {
        /// The fastest engine that this host has for the architecture.
        case auto
        /// The host's processor, through KVM: x86-64 guests.
        case kvm
        /// The binary translator: RISC-V guests.
        case translate
        /// The interpreter: RISC-V guests.
        case interpret
    }

    /// The transport of virtio devices.
    public enum Transport: String, CaseIterable, Codable, Sendable {
        /// virtio-mmio: registers at fixed addresses, which the device tree lists.
        case mmio
        /// virtio-mmio with the registers of the legacy interface (VIRTIO 1.2, section 4.2.4), for kernels that know no other.
        case mmioLegacy = "mmio-legacy"
        /// virtio-pci: functions of a PCI Express bus.
        case pci
    }

    /// The interrupt controllers of the RISC-V board.
    public enum Interrupts: String, CaseIterable, Codable, Sendable {
        /// A platform-level interrupt controller (RISC-V PLIC Specification 1.0.0). PCI devices use the pins of their functions.
        case plic
        /// The Advanced Interrupt Architecture 1.0: each hart has interrupt files that receive messages (IMSIC), with files for guests if it has the
        /// hypervisor extension, and a controller makes messages of the wires of other devices (APLIC). PCI devices send messages (MSI-X).
        case aia
        /// A controller of the Advanced Interrupt Architecture 1.0 alone (APLIC), which interrupts harts directly; they have no interrupt files. PCI
        /// devices use the pins of their functions.
        case aplic
    }

    /// The device of the guest's console.
    public enum Console: String, CaseIterable, Codable, Sendable {
        /// The 16550A UART: `ttyS0` of a Linux guest.
        case serial
        /// A virtio console: `hvc0`.
        case virtio
    }

    /// The valid numbers of vCPUs.
    public static let cpuRange = 1...64
    /// The valid sizes of guest memory.
    public static let memoryRange = ByteSize.mebibytes(1)...ByteSize.mebibytes(1 << 20)

    /// The valid sizes of the code cache.
    public static let codeCacheRange = ByteSize.mebibytes(4)...ByteSize.mebibytes(1024)

    /// The guest's instruction set architecture.
    public var architecture = Architecture.riscv64
    /// The engine that executes the vCPUs.
    public var engine = Engine.auto
    /// The path of a trace file, in which the translator writes guest code, intermediate representation and host code of each
    /// block; nil for none. An existing file is replaced. The boot of a distribution writes some hundred megabytes.
    public var translationTrace: String?
    /// The size of the translator's code cache, which all vCPUs share: in `codeCacheRange`, 4M to 1G. The host allocates its pages
    /// at first use; a full cache evicts the least used code. Nil for 64M, 128M from 512M of memory on, and
    /// 256M from 1G on.
    public var codeCache: ByteSize?
    /// The number of vCPUs: in `cpuRange`, 1 to 64.
    public var cpus = 1
    /// The processor model, one of the architecture's; nil for the default model.
    public var processor: Processor?
    /// The size of guest memory: in `memoryRange`, 1M to 1024G, a multiple of 4 KiB, and at most the host's memory.
    public var memory = ByteSize.mebibytes(512)
    /// How far the memory of the running guest may grow (`VirtualMachine.setMemoryTarget(_:)`); nil for not at all. It needs a slot for a
    /// device, on virtio-mmio one of the eight.
    public var memoryGrowth: MemoryGrowth?
    /// Whether the host's kernel may keep pages of the guest's memory that have the same contents as others only once (ksm(4)). A guest can
    /// then find out by timing which pages it has in common with other guests: only for guests that may know each other's contents.
    public var mergesMemory = false
    /// How the machine saves memory of the host; nil for not at all. `lendsUnderPressure` needs the balloon, for which a machine on virtio-mmio
    /// has to have a free slot.
    public var memoryPolicy: MemoryPolicy?
    /// The path of a kernel; nil when firmware loads one. For riscv64: a flat `Image`, also compressed or in an EFI zboot file, or
    /// ELF. For x86_64: a `bzImage`, or ELF with a PVH entry.
    public var kernel: String?
    /// The path of the kernel's initial RAM disk; nil for none.
    public var initrd: String?
    /// A cpio archive that the guest finds behind the one in `initrd`, whose file is not changed: at most 16 MiB; empty for none. Linux
    /// unpacks archives one after the other, and the later file of a name replaces the earlier one.
    public var appendedInitrd: [UInt8] = []
    /// The kernel's command line: at most 2047 bytes, without NUL. A kernel's own limit may be lower.
    public var commandLine = ""
    /// The path of firmware that starts at reset; nil for none. For riscv64: firmware for machine mode, in place of Aerie's own
    /// SBI. For x86_64: a ROM image of 4K to 16M, a multiple of 4 KiB, which ends at 4 GiB with the reset vector in its last
    /// 16 bytes; it excludes `kernel`.
    public var firmware: String?
    /// The files with the contents of the RISC-V board's flash banks, at most 2; the other banks are erased at the start. Without a
    /// kernel, the guest starts in supervisor mode at the first byte of the first bank. The x86_64 board has no flash.
    public var flash: [FlashFile] = []
    /// The guest's disks in the order of their slots: at most 32 with the transport `pci`, and with the others as many as the eight
    /// slots of all virtio devices have room for. Serials must differ.
    public var disks: [Disk] = []
    /// The guest's network cards in the order of their slots; none by default.
    public var networkCards: [NetworkCard] = []
    /// Ports of the host that lead to the guest. They need a card with the network `user`, and the first such card has them.
    public var publishedPorts: [PublishedPort] = []
    /// The destinations that the guest may reach through its network cards, each as `HOST|*.DOMAIN|CIDR[:PORT]`, with an IPv6 range in
    /// brackets; empty for all. `host.aerie.internal` is the host's loopback. The host enforces it: other connections are refused at once,
    /// and so are DNS queries for other names.
    public var allowedEgress: [String] = []
    /// Sockets between the guest and programs of the host; nil for none.
    public var sockets: SocketSettings?
    /// Directories of the host that the guest mounts, in the order of their slots; at most 16. A guest that was not started from an image mounts the
    /// first one with `mount -t virtiofs share0 DIRECTORY`, and so on.
    public var shares: [Share] = []
    /// Directories for the changes of disks that discard them, in the order of preference. The first directory that is writable and
    /// not in memory holds them in an unnamed file, which can become as large as the disks and is deleted with the machine. If all
    /// directories are in memory, the first writable one holds it.
    public var scratchDirectories = ["/var/tmp", "/tmp"]
    /// The transport of virtio devices; nil for the board's default: `mmio` on riscv64, `pci` on x86_64. The x86_64 board has
    /// only `pci`.
    public var transport: Transport?
    /// The interrupt controllers; nil for the board's default: `plic` on riscv64. The x86_64 board has those of a PC, and no choice.
    public var interrupts: Interrupts?
    /// The device of the guest's console.
    public var console = Console.serial
    /// Whether the guest has a control port: a virtio console on which the host asks the guest's init to power off
    /// (`VirtualMachine.requestPowerOff()`). Images built by Aerie expect it. Its slot follows that of a virtio `console`.
    public var hasControlPort = false
    /// Whether the machine restarts when the guest requests a reset. Otherwise the reset ends the machine.
    public var restartsOnReset = true

    /// Whether the machine has a watchdog, which restarts, ends or pauses a guest that no longer serves it; and the answer to a panic that
    /// the guest's kernel reports. The guest's driver is `sunxi_wdt` on riscv64 and `i6300esb` on x86_64. None by default.
    public var watchdog = WatchdogAction.off

    /// Creates the default configuration: riscv64, one vCPU, 512 MiB, nothing to boot. Set `kernel` or `firmware`.
    public init() {}
}
