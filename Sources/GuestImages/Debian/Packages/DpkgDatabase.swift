/// Collects what dpkg's database says about packages that were unpacked without dpkg.
///
/// The format is that of dpkg's own files below /var/lib/dpkg: `status`, `info/`, `triggers/`. A package whose
/// installation needs nothing but its files is entered as installed; one with a `postinst` script as unpacked, so that
/// `dpkg --configure -a` in the guest finishes it.
struct DpkgDatabase {
    /// A package that was unpacked.
    struct Package {
        var control: ControlFile
        /// The control archive's files by name, without `control`.
        var scripts: [String: [UInt8]]
        /// Every path of the data archive, relative, in its order; empty for the root.
        var paths: [String]

        var name: String { control["Package"] ?? "" }
        var version: String { control["Version"] ?? "" }
        /// Whether its `postinst` script has been done without.
        var isFinished = false

        var needsConfiguration: Bool { scripts["postinst"] != nil && !isFinished }

        /// Whether its `preinst` script does something at a first installation: the helper's commands about older
        /// versions' files do not, and their many processes take long in an emulated guest.
        var needsPreparation: Bool {
            String(decoding: scripts["preinst"] ?? [], as: UTF8.self).split(whereSeparator: \.isNewline).contains {
                let words = $0.split(whereSeparator: \.isWhitespace)
                switch words.first {
                case nil, "set", "exit": return false
                case "dpkg-maintscript-helper": return words.count < 2 || !Self.upgradeCommands.contains(words[1])
                default: return !words[0].hasPrefix("#")
                }
            }
        }

        private static let upgradeCommands: Set<Substring> = [
            "rm_conffile", "mv_conffile", "symlink_to_dir", "dir_to_symlink",
        ]

        /// The stem of its files in `info/`: packages that may be installed for several architectures carry theirs.
        var infoName: String {
            control["Multi-Arch"] == "same" ? "\(name):\(control["Architecture"] ?? "")" : name
        }

        /// The absolute paths of its configuration files.
        var configurationFiles: [String] {
            String(decoding: scripts["conffiles"] ?? [], as: UTF8.self).split(whereSeparator: \.isNewline)
                .map(String.init).filter { $0.hasPrefix("/") }
        }
    }

    private(set) var packages: [Package] = []

    mutating func add(_ package: Package) {
        packages.append(package)
    }

    /// Notes that a package needs no script of its own any more.
    mutating func finish(_ name: String) {
        for index in packages.indices where packages[index].name == name { packages[index].isFinished = true }
    }

    /// The number of packages that the guest still has to configure.
    var unconfigured: [Package] { packages.filter(\.needsConfiguration) }

    /// Writes the database into a tree.
    ///
    /// - Parameter digests: the MD5 sums of configuration files by absolute path.
    func write(to tree: RootTree, digests: [String: String]) throws(ImageError) {
        let base = "var/lib/dpkg"
        for name in ["info", "updates", "parts", "alternatives", "triggers"] {
            try tree.addDirectory("\(base)/\(name)")
        }
        try tree.write("1\n", to: "\(base)/info/format")
        for name in ["available", "diversions", "statoverride"] where !tree.contains("\(base)/\(name)") {
            try tree.write("", to: "\(base)/\(name)")
        }
        for package in packages {
            let stem = "\(base)/info/\(package.infoName)"
            for (name, bytes) in package.scripts.sorted(by: { $0.key < $1.key }) {
                let isScript = ["preinst", "postinst", "prerm", "postrm", "config"].contains(name)
                try tree.write(bytes, to: "\(stem).\(name)", mode: isScript ? 0o755 : 0o644)
            }
            let list = package.paths.map { $0.isEmpty ? "/." : "/\($0)" }.joined(separator: "\n")
            try tree.write(list + "\n", to: "\(stem).list")
        }
        for (name, text) in triggers() { try tree.write(text, to: "\(base)/triggers/\(name)") }
        let status = packages.map { statusParagraph($0, digests) }.joined(separator: "\n")
        try tree.write(status, to: "\(base)/status")
        try tree.write(status, to: "\(base)/status-old")
    }

    /// A package's paragraph of the status file, ending in a line break.
    func statusParagraph(_ package: Package, _ digests: [String: String]) -> String {
        var text = ""
        for field in package.control.fields {
            text += "\(field.name): \(field.value)\n"
            if field.name.lowercased() == "package" {
                text += "Status: install ok \(package.needsConfiguration ? "unpacked" : "installed")\n"
            }
        }
        let files = package.configurationFiles.compactMap { path in digests[path].map { " \(path) \($0)" } }
        if !files.isEmpty { text += "Conffiles:\n" + files.joined(separator: "\n") + "\n" }
        return text
    }

    /// Which packages want to know of which events: `File` lists paths, every other file is named for its trigger.
    func triggers() -> [String: String] {
        var files: [String: String] = ["File": "", "Unincorp": ""]
        for package in packages {
            let directives = String(decoding: package.scripts["triggers"] ?? [], as: UTF8.self)
            for line in directives.split(whereSeparator: \.isNewline) {
                let words = line.split(whereSeparator: \.isWhitespace)
                guard words.count == 2, words[0].hasPrefix("interest") else { continue }
                let interested = package.name + (words[0] == "interest-noawait" ? "/noawait" : "")
                if words[1].hasPrefix("/") {
                    files["File"]! += "\(words[1]) \(interested)\n"
                } else if !words[1].contains("/"), !words[1].hasPrefix(".") {
                    files[String(words[1]), default: ""] += "\(interested)\n"
                }
            }
        }
        return files
    }
}
