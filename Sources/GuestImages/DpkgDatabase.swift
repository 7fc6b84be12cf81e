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
        var hasPreinst: Bool { scripts["preinst"] != nil }
        var needsConfiguration: Bool { scripts["postinst"] != nil }

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
