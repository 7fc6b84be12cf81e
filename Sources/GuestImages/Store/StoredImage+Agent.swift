internal import GuestAgentPrograms
internal import GuestBoot

extension StoredImage {
    /// An archive to load behind the image's initial RAM disk: the guest's agent and the script that starts it. The image's files stay
    /// as they are, so images of earlier versions get the agent, too.
    package var agentArchive: [UInt8] { Self.agentArchive(for: manifest.architecture) }

    /// The archive for images of an architecture.
    package static func agentArchive(for architecture: ImageArchitecture) -> [UInt8] {
        var archive = CpioArchive()
        archive.addFile("bin/aerie-agent", mode: 0o755, GuestAgentPrograms.program(architecture.agent))
        archive.addFile("init", mode: 0o755, Array(GuestScripts.initialRamdisk.utf8))
        archive.addFile("bin/aerie-network", mode: 0o755, Array(GuestScripts.network.utf8))
        archive.addFile("bin/aerie-dhcp", mode: 0o755, Array(GuestScripts.dhcp.utf8))
        return archive.finished()
    }
}

extension ImageArchitecture {
    fileprivate var agent: GuestAgentPrograms.Architecture {
        switch self {
        case .riscv64: .riscv64
        case .x86_64: .x86_64
        }
    }
}
