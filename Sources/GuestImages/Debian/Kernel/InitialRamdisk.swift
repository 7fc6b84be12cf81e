internal import GuestBoot

/// Makes the initial RAM disk: the modules that the root disk needs, the guest's agent, which mounts it, and a static shell for a person
/// who starts it instead (`rdinit=/bin/sh`).
///
/// It is not compressed: in a guest whose processor is emulated, unpacking costs more than reading a few megabytes.
struct InitialRamdisk {
    let runner: ToolRunner
    /// A directory for files on their way.
    let scratch: String

    /// Modules without which there is no root disk, besides those of the architecture's transports.
    static let required = ["virtio_blk", "ext4"]
    /// Modules that are loaded before the root disk's init when the kernel has them: entropy for the first program that asks for it, and the device that tells
    /// the host of a panic.
    static let early = ["virtio_rng", "pvpanic_pci"]
    /// Modules that are there for the agent to load when the guest asks for what they do.
    static let overlay = ["overlay"]
    /// Modules that are loaded when the guest has a network card.
    static let network = ["virtio_net"]
    /// Modules that are loaded when the guest has a device for sockets.
    static let socket = ["vmw_vsock_virtio_transport"]
    /// Modules that are loaded when the guest has a shared folder.
    static let share = ["virtiofs"]

    /// - Parameters:
    ///   - tree: the root file system with the kernel's modules and their index.
    ///   - busybox: the static shell's path in the tree.
    func make(
        release: String, tree: RootTree, architecture: ImageArchitecture, busybox: String
    ) async throws(ImageError) -> [UInt8] {
        let base = "usr/lib/modules/\(release)"
        let modules = KernelModules(
            dependencies: tree.text("\(base)/modules.dep") ?? "", builtin: tree.text("\(base)/modules.builtin") ?? "",
            soft: tree.text("\(base)/modules.softdep") ?? "", aliases: tree.text("\(base)/modules.alias") ?? "")
        let boot = try modules.loadOrder(
            architecture.transportModules + Self.required)
        func further(_ names: [String]) throws(ImageError) -> [String] {
            try modules.loadOrder(names.filter(modules.has)).filter { !boot.contains($0) }
        }
        let early = try further(Self.early)
        let overlay = try further(Self.overlay)
        let network = try further(Self.network)
        let socket = try further(Self.socket)
        let share = try further(Self.share)

        var archive = CpioArchive()
        for path in ["bin", "dev", "proc", "sys", "run", "root", "lib", "lib/modules"] { archive.addDirectory(path) }
        // The kernel opens the console before anything could make this node.
        archive.addCharacterDevice("dev/console", mode: 0o600, major: 5, minor: 1)
        archive.addCharacterDevice("dev/null", mode: 0o666, major: 1, minor: 3)
        for path in boot + early + overlay + network + socket + share {
            let data = try await decompressed(try tree.hostPath("\(base)/\(path)"))
            archive.addFile(
                "lib/modules/\(KernelModules.name(of: path)).ko",
                ModuleSymbols.reduced(ModuleSignature.removed(from: data)))
        }
        archive.addFile("lib/modules/boot", Self.list(boot))
        archive.addFile("lib/modules/early", Self.list(early))
        archive.addFile("lib/modules/overlay", Self.list(overlay))
        archive.addFile("lib/modules/network", Self.list(network))
        archive.addFile("lib/modules/socket", Self.list(socket))
        archive.addFile("lib/modules/share", Self.list(share))
        archive.addFile("bin/busybox", mode: 0o755, try Files.read(try tree.hostPath(busybox), limit: 64 << 20))
        archive.addLink("bin/sh", to: "busybox")
        architecture.addAgent(to: &archive)
        return archive.finished()
    }

    private static func list(_ paths: [String]) -> [UInt8] {
        Array(paths.map { KernelModules.name(of: $0) + "\n" }.joined().utf8)
    }

    /// A module's object file: insmod without libraries takes no other form.
    private func decompressed(_ path: String) async throws(ImageError) -> [UInt8] {
        guard !path.hasSuffix(".ko") else { return try Files.read(path, limit: 64 << 20) }
        guard path.hasSuffix(".ko.xz") else {
            throw ImageError(.badInput, "kernel module \(path): it is compressed in an unknown way; report this")
        }
        let target = "\(scratch)/module.ko"
        try await runner.run(.xz, ["--decompress", "--stdout", path], into: target, purpose: "decompressing \(path)")
        let data = try Files.read(target, limit: 64 << 20)
        try Files.removeTree(target)
        return data
    }
}
