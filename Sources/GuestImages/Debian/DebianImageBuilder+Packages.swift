internal import FoundationEssentials
internal import Glibc
internal import HostSystem

/// The builder's dealings with packages: which, from where, into what.
extension DebianImageBuilder {
    /// The files that a build works on.
    struct Downloads: Sendable {
        /// Packages to unpack on the host, in order.
        var unpacked: [String] = []
        /// Packages that the guest's own dpkg is to install.
        var guestInstalled: [String] = []
        var kernel = ""
    }

    private static let kernelPrefix = "linux-image-"

    /// What unpacking leaves to be known.
    struct Unpacked {
        var database: DpkgDatabase
        var release: String
    }

    func download(
        _ mirror: String, _ progress: @escaping @Sendable (BuildProgress) -> Void
    ) async throws(ImageError) -> Downloads {
        progress(BuildProgress(phase: .resolving))
        try Files.makeDirectories("\(store.directories.cache)/debian")
        let lockPath = "\(store.directories.cache)/debian/lock"
        guard let lock = try FileLock.take(path: lockPath, mode: .exclusive, create: true) else {
            throw ImageError(.unavailable, "download cache: another build is filling it; wait for that")
        }
        let archive = try await AptArchive(
            suite: options.suite, architecture: options.architecture, mirror: mirror, cache: store.directories.cache,
            environment: environment)
        try await archive.update()
        // A kernel among the packages that the user names is instead of the usual one.
        let isKernel = { (name: String) in name.hasPrefix(Self.kernelPrefix) }
        let kernel = options.packages.first(where: isKernel) ?? options.architecture.kernelPackage
        let base = ["?essential"] + Self.basePackages + [kernel]
        let wanted = base + options.allPackages.filter { !isKernel($0) }
        let packages = try await archive.resolve(wanted)
        let baseNames = wanted == base ? packages.map(\.name) : try await archive.resolve(base).map(\.name)
        let files = try await archive.download(wanted, packages) { done, total, item in
            progress(BuildProgress(phase: .downloading, completed: done, total: total, unit: .bytes, item: item))
        }
        _ = consume lock
        return try await sorted(packages.map(\.name), files, base: Set(baseNames))
    }

    /// Decides what happens to each package.
    ///
    /// The base system's preinst scripts are known to work when they run after the unpacking. Those of other packages
    /// are not, so when one of them has such a script, the guest's dpkg installs all that goes beyond the base.
    private func sorted(
        _ names: [String], _ files: [String: String], base: Set<String>
    ) async throws(ImageError) -> Downloads {
        var downloads = Downloads()
        var extra: [String] = []
        for name in names {
            guard let file = files[name] else { continue }
            if name.hasPrefix(Self.kernelPrefix) {
                // The package without a version in its name only depends on the one that holds the kernel.
                if name.dropFirst(Self.kernelPrefix.count).first?.isNumber == true { downloads.kernel = file }
            } else if name == "base-files" {
                // First, because the links of its merged /usr are what other packages' paths lead through.
                downloads.unpacked.insert(file, at: 0)
            } else if base.contains(name) {
                downloads.unpacked.append(file)
            } else {
                extra.append(file)
            }
        }
        guard !downloads.kernel.isEmpty else {
            throw ImageError(
                .usage, "suite \(options.suite): it has no kernel for \(options.architecture.rawValue); choose another")
        }
        let runner = ToolRunner(environment: environment)
        for file in extra {
            let contents = try await runner.run(.dpkgDeb, ["--info", file], purpose: "reading package \(file)")
            let scripts = contents.contains { $0.split(separator: " ").contains("preinst") }
            if scripts {
                downloads.guestInstalled = extra
                return downloads
            }
        }
        downloads.unpacked += extra
        return downloads
    }

    func unpack(
        _ downloads: Downloads, into tree: RootTree, _ work: String, _ runner: ToolRunner, kernel: String,
        _ progress: @Sendable (BuildProgress) -> Void
    ) async throws(ImageError) -> Unpacked {
        let unpacker = PackageUnpacker(runner: runner, scratch: work)
        var database = DpkgDatabase()
        let total = UInt64(downloads.unpacked.count + 1)
        for (index, file) in downloads.unpacked.enumerated() {
            let name = file[file.index(after: file.lastIndex(of: "/")!)...].prefix { $0 != "_" }
            progress(BuildProgress(phase: .unpacking, completed: UInt64(index), total: total, item: String(name)))
            if Task.isCancelled {
                throw ImageError(.unavailable, "building an image: interrupted; nothing was stored")
            }
            database.add(try await unpacker.unpack(file, into: tree))
        }
        progress(BuildProgress(phase: .unpacking, completed: total - 1, total: total, item: "linux-image"))
        let release = try await unpacker.unpackKernel(downloads.kernel, into: tree, kernel: kernel)
        progress(BuildProgress(phase: .unpacking, completed: total, total: total))
        return Unpacked(database: database, release: release)
    }

    /// The MD5 sums of all configuration files, which dpkg keeps to notice the administrator's changes.
    func digests(
        _ database: DpkgDatabase, _ tree: RootTree, _ runner: ToolRunner
    ) async throws(ImageError) -> [String: String] {
        let paths = database.packages.flatMap(\.configurationFiles).filter { tree.contains(String($0.dropFirst())) }
        guard !paths.isEmpty else { return [:] }
        let lines = try await runner.run(
            .md5sum, ["--"] + paths.map { ".\($0)" }, in: tree.directory, purpose: "summing configuration files")
        var digests: [String: String] = [:]
        for line in lines {
            // DIGEST, two characters, the path as given.
            guard let space = line.firstIndex(of: " "), let dot = line.firstIndex(of: ".") else { continue }
            digests[String(line[line.index(after: dot)...])] = String(line[..<space])
        }
        return digests
    }

    /// Describes the finished image, with the packages that the guest's own database lists.
    func manifest(
        _ reference: ImageReference, _ mirror: String, _ release: String, _ disk: RootDisk, _ directory: String,
        _ runner: ToolRunner
    ) async throws(ImageError) -> ImageManifest {
        let installed = ControlFile.parse(try await disk.text("var/lib/dpkg/status")).compactMap { paragraph in
            paragraph["Status"]?.hasSuffix(" installed") == true
                ? ImageManifest.Package(name: paragraph["Package"] ?? "", version: paragraph["Version"] ?? "") : nil
        }.sorted { $0.name < $1.name }
        let commandLine =
            "\(Self.kernelWords) quiet" + (options.effectiveInit == .systemd ? " \(GuestScripts.systemdWords)" : "")
        let now = Date(timeIntervalSince1970: Double(HostClock.realtime() / 1_000_000_000))
        return ImageManifest(
            reference: reference, architecture: options.architecture, kernel: "kernel", initrd: "initrd",
            rootDisk: "root.raw", kernelRelease: release, commandLine: commandLine, created: now,
            mirror: mirror, packages: installed, diskSize: options.diskSize,
            digest: try await ContentDigest(runner: runner).digest(of: ["kernel", "initrd", "root.raw"], in: directory))
    }
}
