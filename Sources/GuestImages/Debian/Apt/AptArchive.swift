internal import Glibc
internal import Synchronization

/// A Debian archive, through the host's apt with a configuration, state and cache of our own.
///
/// Nothing of the host's package database is read or written. The host's ways to reach the network (proxies, retries)
/// hold here too; its sources, keys, hooks and preferences do not. apt verifies every file down from the signed
/// release file with Debian's own keyring, keeps what it has downloaded, and resumes partial files.
struct AptArchive: Sendable {
    let suite: String
    let architecture: ImageArchitecture
    let mirror: String
    private let directory: String
    private let runner: ToolRunner

    private var purpose: String { "suite \(suite) of \(mirror)" }
    private var archives: String { "\(directory)/archives" }

    /// Writes the configuration below `cache`.
    init(
        suite: String, architecture: ImageArchitecture, mirror: String, cache: String, environment: [String: String]
    ) async throws(ImageError) {
        self.suite = suite
        self.architecture = architecture
        self.mirror = mirror
        directory = "\(cache)/debian"
        let state = "\(directory)/\(suite)-\(architecture.debianName)"
        guard !directory.contains("\""), !directory.contains("\n") else {
            throw ImageError(.usage, "download cache \(directory): apt takes no such path; set XDG_CACHE_HOME")
        }
        for path in ["\(directory)/archives/partial", "\(state)/lists/partial", "\(state)/log"] {
            try Files.makeDirectories(path)
        }
        let settings = try await Self.networkSettings(ToolRunner(environment: environment))
        let keyring = try Self.keyring()
        try Files.write(Self.installedPackages, to: "\(state)/status")
        try Files.write("deb [signed-by=\(keyring)] \(mirror) \(suite) main\n", to: "\(state)/sources.list")
        try Files.write(
            Self.configuration(state: state, archives: "\(directory)/archives", architecture: architecture)
                + settings.joined(separator: "\n") + "\n",
            to: "\(state)/apt.conf")
        runner = ToolRunner(environment: environment, variables: ["APT_CONFIG": "\(state)/apt.conf"])
    }

    /// Brings the package lists up to date.
    func update() async throws(ImageError) {
        let outcome = try await runner.outcome(.aptGet, ["-q", "-o", "APT::Update::Error-Mode=any", "update"])
        let unsupported = outcome.text.contains("doesn't support architecture")
        guard outcome.succeeded, !unsupported else { throw AptOutput.failure(purpose, outcome.lines) }
    }

    /// Everything that installing `packages` brings, in the order of unpacking.
    func resolve(_ packages: [String]) async throws(ImageError) -> [AptOutput.Package] {
        let outcome = try await runner.outcome(.aptGet, ["-q", "--simulate", "install"] + packages)
        guard outcome.succeeded else { throw AptOutput.failure(purpose, outcome.lines) }
        return AptOutput.simulatedPackages(outcome.lines)
    }

    /// Downloads what `resolve` found and is not in the cache yet.
    ///
    /// - Parameter progress: called with bytes done, bytes in all, and the package that is on its way.
    /// - Returns: the packages' files in the cache, by name.
    func download(
        _ requested: [String], _ packages: [AptOutput.Package],
        progress: @escaping @Sendable (UInt64, UInt64, String) -> Void
    ) async throws(ImageError) -> [String: String] {
        let listing = try await runner.outcome(.aptGet, ["-qq", "-y", "--print-uris", "install"] + requested)
        guard listing.succeeded else { throw AptOutput.failure(purpose, listing.lines) }
        let total = AptOutput.downloadSize(listing.lines)
        progress(0, total, "")
        let item = Mutex("")
        let outcome = try await runner.outcome(
            .aptGet, ["-q", "-y", "-o", "APT::Status-Fd=1", "--download-only", "install"] + requested
        ) { line in
            if let name = AptOutput.downloadedItem(line) { item.withLock { $0 = name } }
            guard let percent = AptOutput.downloadPercent(line) else { return }
            progress(UInt64(percent / 100 * Double(total)), total, item.withLock { $0 })
        }
        guard outcome.succeeded else { throw AptOutput.failure("packages of \(purpose)", outcome.lines) }
        progress(total, total, "")

        var files: [String: String] = [:]
        for package in packages {
            let path = "\(archives)/\(package.fileName)"
            guard Files.exists(path) else {
                throw ImageError(.internalFailure, "package \(package.name): apt did not leave \(path); build again")
            }
            files[package.name] = path
        }
        return files
    }

    /// Debian's keyring on this host.
    private static func keyring() throws(ImageError) -> String {
        let base = "/usr/share/keyrings/debian-archive-keyring"
        for path in ["\(base).gpg", "\(base).pgp"] where access(path, R_OK) == 0 { return path }
        throw ImageError(
            .unavailable,
            "verifying Debian packages: \(base).gpg not found; install with 'apt-get install debian-archive-keyring'")
    }

    /// The host's settings for reaching the network, as lines of a configuration file.
    private static func networkSettings(_ runner: ToolRunner) async throws(ImageError) -> [String] {
        try await runner.run(.aptConfig, ["dump"], purpose: "reading apt's configuration").filter(isNetworkSetting)
    }

    static func isNetworkSetting(_ line: String) -> Bool {
        let prefixes = [
            "Acquire::http::", "Acquire::https::", "Acquire::http ", "Acquire::https ", "Acquire::Retries",
            "Acquire::ForceIPv", "Acquire::Check-Valid-Until", "Acquire::Check-Date", "Acquire::Max-ValidTime",
        ]
        return prefixes.contains { line.hasPrefix($0) } && line.hasSuffix(";")
    }

    /// What the kernel's package asks for and a guest that is booted by its host does not need: tools that would make
    /// an initial RAM disk in the guest.
    private static let installedPackages = """
        Package: aerie-boot
        Status: install ok installed
        Maintainer: Aerie
        Architecture: all
        Multi-Arch: foreign
        Version: 1
        Provides: linux-initramfs-tool, linux-base (= 999)
        Description: stands for the host's part in booting the guest

        """

    private static func configuration(state: String, archives: String, architecture: ImageArchitecture) -> String {
        """
        Dir "/";
        Dir::State "\(state)";
        Dir::State::lists "\(state)/lists";
        Dir::State::status "\(state)/status";
        Dir::State::extended_states "\(state)/extended_states";
        Dir::Cache "\(state)";
        Dir::Cache::archives "\(archives)";
        Dir::Log "\(state)/log";
        Dir::Etc::main "/dev/null";
        Dir::Etc::parts "/dev/null/none";
        Dir::Etc::sourcelist "\(state)/sources.list";
        Dir::Etc::sourceparts "/dev/null/none";
        Dir::Etc::preferences "/dev/null";
        Dir::Etc::preferencesparts "/dev/null/none";
        Dir::Etc::trusted "/dev/null";
        Dir::Etc::trustedparts "/dev/null/none";
        APT::Architecture "\(architecture.debianName)";
        APT::Architectures { "\(architecture.debianName)"; };
        APT::Install-Recommends "false";
        APT::Install-Suggests "false";
        APT::Sandbox::User "root";
        APT::Get::AllowUnauthenticated "false";
        Acquire::AllowInsecureRepositories "false";
        Acquire::Languages "none";
        Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
        Acquire::PDiffs "false";

        """
    }
}
