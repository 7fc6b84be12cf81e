/// Writes what makes a root file system this guest's: its names, its package sources, and our programs.
enum RootConfiguration {
    static let label = "aerie-root"
    static let marker = "var/lib/aerie/configured"
    static let stage2Directory = "var/lib/aerie/stage2"

    static func apply(
        to tree: RootTree, architecture: ImageArchitecture, suite: String, sources: PackageSources,
        initSystem: InitSystem
    ) throws(ImageError) {
        for (path, mode) in [
            ("dev", 0o755), ("proc", 0o555), ("sys", 0o555), ("run", 0o755), ("tmp", 0o1777), ("root", 0o700),
            ("mnt", 0o755), ("var/tmp", 0o1777), ("var/lib/aerie", 0o755), ("var/log", 0o755),
        ] as [(String, UInt32)] {
            try tree.addDirectory(path, mode: mode)
        }
        try tree.write("debian\n", to: "etc/hostname")
        try tree.write("127.0.0.1\tlocalhost debian\n::1\tlocalhost ip6-localhost ip6-loopback\n", to: "etc/hosts")
        try tree.write("LABEL=\(label)\t/\text4\tdefaults\t0\t0\n", to: "etc/fstab")
        try tree.write("# Written when the network gives this guest an address.\n", to: "etc/resolv.conf")
        try tree.write("LANG=C.UTF-8\n", to: "etc/default/locale")
        try tree.write(sources.text(suite: suite), to: "etc/apt/sources.list.d/debian.sources")
        // Packages create their users before base-passwd's own script would write these.
        for name in ["passwd", "group"] where !tree.contains("etc/\(name)") {
            if let master = tree.text("usr/share/base-passwd/\(name).master") {
                try tree.write(master, to: "etc/\(name)")
            }
        }
        let programs = [
            ("init", GuestScripts.initProcess), ("setup", GuestScripts.setup), ("end", GuestScripts.end(architecture)),
            ("shell", GuestScripts.shell),
            ("network", GuestScripts.network),
            ("dhcp", GuestScripts.dhcp), ("power", GuestScripts.power), ("stage2", GuestScripts.stage2),
        ]
        for (name, text) in programs { try tree.write(text, to: "usr/lib/aerie/\(name)", mode: 0o755) }
        if initSystem == .systemd {
            for file in GuestScripts.systemd { try tree.write(file.text, to: file.path, mode: file.mode) }
            for (path, target) in GuestScripts.systemdLinks { try tree.addLink(path, to: target) }
            return
        }
        // /usr/local is the administrator's: no package ever replaces these.
        for name in ["poweroff", "reboot", "halt"] {
            try tree.addLink("usr/local/sbin/\(name)", to: "../../lib/aerie/power")
        }
    }

    /// Leaves the second stage its work: scripts to run before configuring, and packages to install.
    static func prepareSecondStage(
        in tree: RootTree, _ database: DpkgDatabase, packages: [String]
    ) throws(ImageError) {
        let scripts = database.packages.filter(\.needsPreparation).map { "\($0.name) \($0.infoName)\n" }.joined()
        try tree.write(scripts, to: "\(stage2Directory)/preinst")
        for file in packages {
            let name = String(file[file.index(after: file.lastIndex(of: "/")!)...])
            try tree.write(try Files.read(file, limit: 1 << 30), to: "\(stage2Directory)/packages/\(name)")
        }
    }
}
