internal import GuestAgentPrograms
internal import GuestBoot

extension StoredImage {
    /// An archive to load behind the image's initial RAM disk: the guest's agent, which is its `/init`, too. The image's files stay
    /// as they are, so images of earlier versions get the agent, too.
    package var agentArchive: [UInt8] { Self.agentArchive(for: manifest.architecture) }

    /// The archive for images of an architecture.
    package static func agentArchive(for architecture: ImageArchitecture) -> [UInt8] {
        var archive = CpioArchive()
        architecture.addAgent(to: &archive)
        archive.addFile("bin/aerie-network", mode: 0o755, Array(GuestScripts.network.utf8))
        archive.addFile("bin/aerie-dhcp", mode: 0o755, Array(GuestScripts.dhcp.utf8))
        return archive.finished()
    }
}

extension ImageArchitecture {
    /// Adds the guest's agent as the program that the kernel starts.
    func addAgent(to archive: inout CpioArchive) {
        archive.addFile("bin/aerie-agent", mode: 0o755, GuestAgentPrograms.program(agent))
        archive.addLink("init", to: "bin/aerie-agent")
    }

    private var agent: GuestAgentPrograms.Architecture {
        switch self {
        case .riscv64: .riscv64
        case .x86_64: .x86_64
        }
    }
}
