import Foundation
import GuestToolchain

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

    /// What a guest has besides its first two disks.
    enum Extra {
        /// A disk that it may write.
        case disk(String)
        /// A directory of the host, as the shared folder `share0`.
        case share(String)
        /// A network by passt.
        case network
        /// A network by the TAP interface of that name.
        case tap(String)
    }

    /// The arguments for Debian on its root disk, whose changes are discarded, with a second disk. `command` runs on the console; then the
    /// guest powers off.
    ///
    /// - Parameter socket: where QEMU meets the program of `helper`.
    func arguments(
        _ files: DebianFiles, second: String, extra: Extra? = nil, socket: String = "", command: [String]
    ) -> [String] {
        let words = Data(command.flatMap { Array($0.utf8) + [0] }).base64EncodedString()
        let append = "console=ttyS0 quiet root=/dev/vda aerie.command=\(words)"
        if let engine {
            return [
                "run", "--engine", engine, "--memory", "512M", "--kernel", files.kernel, "--initrd", files.initrd,
                "--append", append, "--disk", files.disk, "--disk", "\(second),readonly", "--read-only", "--network",
            ] + own(extra)
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
            + qemu(extra, socket) { disk(2, $0, "cache=writeback") }
    }

    private func own(_ extra: Extra?) -> [String] {
        switch extra {
        case .disk(let path)?: ["none", "--disk", path]
        case .share(let path)?: ["none", "--share", "\(path):/mnt/share"]
        case .network?: ["user"]
        case .tap(let name)?: ["tap=\(name)"]
        case nil: ["none"]
        }
    }

    private func qemu(_ extra: Extra?, _ socket: String, disk: (String) -> [String]) -> [String] {
        switch extra {
        case .disk(let path)?: disk(path)
        case .share?:
            [
                "-global", "virtio-mmio.force-legacy=false", "-object",
                "memory-backend-memfd,id=memory,size=512M,share=on", "-machine", "memory-backend=memory",
                "-chardev", "socket,id=share,path=\(socket)", "-device",
                "vhost-user-fs-device,chardev=share,tag=share0",
            ]
        case .network?:
            [
                "-netdev", "stream,id=network,server=off,addr.type=unix,addr.path=\(socket)", "-device",
                // As Aerie's card on a user network.
                "virtio-net-device,netdev=network,host_mtu=65520",
            ]
        case .tap(let name)?:
            [
                "-netdev", "tap,id=network,ifname=\(name),script=no,downscript=no", "-device",
                "virtio-net-device,netdev=network",
            ]
        case nil: []
        }
    }

    /// The program that QEMU needs for a part, with its arguments; it listens at `socket`. Nil where there is none.
    func helper(_ extra: Extra, socket: String) throws -> [String]? {
        guard engine == nil else { return nil }
        func find(_ name: String) throws -> String {
            let known = ["/usr/libexec/\(name)", "/usr/lib/qemu/\(name)"]
            guard let path = HostProgram.find(name) ?? known.first(where: FileManager.default.isExecutableFile) else {
                throw BenchmarkError("QEMU needs \(name), which is not installed; install it, or use --no-qemu")
            }
            return path
        }
        switch extra {
        case .disk, .tap: return nil
        case .share(let path):
            return [try find("virtiofsd"), "--socket-path=\(socket)", "-o", "source=\(path)", "-o", "cache=auto"]
        case .network:
            // Without --one-off passt would stay for the next client, and keep what QEMU's parent waits for.
            return [
                try find("passt"), "--foreground", "--one-off", "--socket", socket, "--address", "10.0.2.15",
                "--netmask", "24", "--gateway", "10.0.2.2",
            ] + (geteuid() == 0 ? ["--runas", "0"] : [])
        }
    }
}
