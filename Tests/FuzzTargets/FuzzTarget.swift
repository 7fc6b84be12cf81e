/// A part of the program that reads bytes a guest or a file controls, as an entry for fuzzers.
///
/// Whatever the bytes are, an entry returns: errors are caught, and a trap, a hang or a broken promise is a finding. Promises
/// that hold for every input are preconditions in the entry.
package enum FuzzTarget: String, CaseIterable, Sendable {
    /// A kernel file for the RISC-V board.
    case riscvKernel = "riscv-kernel"
    /// A firmware file for the RISC-V board.
    case riscvFirmware = "riscv-firmware"
    /// A kernel file for the x86-64 board.
    case x86Kernel = "x86-kernel"
    case deviceTree = "device-tree"
    case savedRecord = "saved-record"
    /// The file of `--config`.
    case settings
    /// A disk image.
    case qcow2
    /// A guest's requests to a shared folder.
    case fuse
    /// A guest's accesses to the registers of the platform devices.
    case platformDevices = "platform-devices"
    /// A guest's virtqueues, and the requests in them to disks, network cards, balloons, consoles, entropy and memory.
    case virtioRequest = "virtio-request"
    /// A guest's accesses to PCI configuration space and to the registers behind it.
    case pciConfiguration = "pci-configuration"
    /// Packets of a guest's sockets.
    case vsockPacket = "vsock-packet"
    /// What a client sends to the guest's agent.
    case agentRequest = "agent-request"
    /// What a guest's agent answers to its client.
    case agentAnswer = "agent-answer"
    /// A tar stream.
    case tarStream = "tar-stream"
    /// What a guest's agent sends in a session of the client.
    case agentSession = "agent-session"
    /// An exported snapshot.
    case snapshotArchive = "snapshot-archive"

    /// Longer inputs are cut off: they find nothing that shorter ones do not.
    package static let inputLimit = 1 << 16

    package func run(_ input: some Sequence<UInt8>) {
        let bytes = Array(input.prefix(Self.inputLimit))
        switch self {
        case .riscvKernel: BootFuzzing.riscv(kernel: bytes)
        case .riscvFirmware: BootFuzzing.riscv(firmware: bytes)
        case .x86Kernel: BootFuzzing.x86(kernel: bytes)
        case .deviceTree: BootFuzzing.deviceTree(bytes)
        case .savedRecord: StateFuzzing.savedRecord(bytes)
        case .settings: StateFuzzing.settings(bytes)
        case .qcow2: DiskFuzzing.qcow2(bytes)
        case .fuse: ShareFuzzing.fuse(bytes)
        case .platformDevices: DeviceFuzzing.platformDevices(bytes)
        case .virtioRequest: VirtioFuzzing.requests(bytes)
        case .pciConfiguration: PCIFuzzing.configuration(bytes)
        case .vsockPacket: SocketFuzzing.packets(bytes)
        case .agentRequest: AgentFuzzing.requests(bytes)
        case .agentAnswer: AgentFuzzing.answers(bytes)
        case .tarStream: AgentFuzzing.tar(bytes)
        case .agentSession: AgentSessionFuzzing.answers(bytes)
        case .snapshotArchive: SnapshotFuzzing.archive(bytes)
        }
    }
}
