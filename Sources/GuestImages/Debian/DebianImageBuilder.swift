internal import FoundationEssentials
internal import Glibc
internal import HostSystem

/// Builds an image of Debian, as root or as any other user.
///
/// Packages come through the host's apt, verified; their files are unpacked on the host; their own scripts, which are
/// programs of the guest's architecture, run once: in a guest that the caller boots, or on the host itself where that can be
/// (`NativeSecondStage`). All work happens in a directory that nobody else sees and moves into the store at the end.
package struct DebianImageBuilder: Sendable {
    let store: ImageStore
    let options: BuildOptions
    let environment: [String: String]
    /// Where apt's own configuration is.
    var aptDirectory = "/etc/apt"

    /// What every image has beyond Debian's essential packages: apt, a root shell's comforts, and networking.
    static let basePackages = [
        "apt", "busybox-static", "ca-certificates", "debian-archive-keyring", "e2fsprogs", "iproute2", "iputils-ping",
        "kmod",
        "mount",
        "netbase", "procps",
    ]

    /// What every kernel of an image is told. Without its tests of its own ciphers, which are the same at each start, a guest starts in three
    /// quarters of the time.
    static let kernelWords = "console=ttyS0 cryptomgr.notests"

    /// - Parameter environment: where tools and settings are looked up, such as this process's own environment.
    package init(store: ImageStore, options: BuildOptions, environment: [String: String]) {
        self.store = store
        self.options = options
        self.environment = environment
    }

    /// Builds the image and puts it into the store, in place of an older one of its name.
    ///
    /// - Parameters:
    ///   - progress: called often, from any thread.
    ///   - configure: boots the guest that finishes the packages, and waits for its end; see `GuestRun`.
    /// - Throws: `ImageError`; nothing of the failed build stays in the store.
    package func build(
        progress: @escaping @Sendable (BuildProgress) -> Void,
        configure: @Sendable (GuestRun) async throws -> Void
    ) async throws(ImageError) -> StoredImage {
        let reference = try validated()
        let sources = try packageSources(reference)
        let runner = ToolRunner(environment: environment)
        try runner.requireAll()
        try Files.makeDirectories(store.building, mode: 0o700)
        let key = "\(options.architecture.rawValue)~\(reference.name)~\(reference.tag)"
        let work = "\(store.building)/\(key)"
        // With the store's lock: whoever prunes the store holds a build's lock for a moment to see that nobody else does.
        guard let lock = try store.buildLock(work) else {
            throw ImageError(.unavailable, "image \(reference): another process is building it; wait for that")
        }
        // With the lock held, whatever is there was left by a process that died.
        try Files.removeTree(work)
        try Files.makeDirectories("\(work)/image", mode: 0o700)
        do throws(ImageError) {
            let image = try await build(reference, sources, in: work, runner, progress, configure)
            try Files.removeTree(work)
            _ = consume lock
            return image
        } catch {
            try? Files.removeTree(work)
            _ = consume lock
            // A tool that was stopped on the way fails for reasons of its own.
            throw Task.isCancelled ? .interrupted : error
        }
    }

    private func packageSources(_ reference: ImageReference) throws(ImageError) -> PackageSources {
        if let mirror = options.mirror { return PackageSources(mirror: mirror) }
        if let sources = PackageSources(AptSources.ofHost(directory: aptDirectory)) { return sources }
        let architecture = options.architecture.rawValue
        throw ImageError(
            .unavailable,
            "packages for image \(reference): the package sources of this host name no mirror of Debian; "
                + "name one with 'aerie image build debian:\(options.suite) --arch \(architecture) --mirror URL'")
    }

    /// Checks everything that can be checked before any work.
    private func validated() throws(ImageError) -> ImageReference {
        let suite = try ImageReference(name: "debian", tag: options.suite)
        for name in options.packages {
            let valid = name.utf8.allSatisfy {
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || "+-.".utf8.contains($0)
            }
            guard valid, let first = name.utf8.first, !"+-.".utf8.contains(first), !name.hasSuffix("-"),
                !name.hasSuffix("+")
            else {
                throw ImageError(
                    .usage, "package '\(name)': this is not a valid package name; use names such as 'curl'")
            }
        }
        if let mirror = options.mirror {
            let scheme = ["http://", "https://", "file:/"].contains { mirror.hasPrefix($0) }
            guard scheme, mirror.utf8.allSatisfy({ $0 > 32 && $0 < 127 && $0 != UInt8(ascii: "\"") }) else {
                throw ImageError(.usage, "mirror '\(mirror)': not an address; use one such as http://HOST/debian")
            }
        }
        guard (1 << 30...1 << 40).contains(options.diskSize), options.diskSize % 4096 == 0 else {
            throw ImageError(
                .usage, "root disk of \(options.diskSize) bytes: choose from 1G to 1T, in whole pages of 4096 bytes")
        }
        return options.reference ?? suite
    }

    private func build(
        _ reference: ImageReference, _ sources: PackageSources, in work: String, _ runner: ToolRunner,
        _ progress: @escaping @Sendable (BuildProgress) -> Void,
        _ configure: @Sendable (GuestRun) async throws -> Void
    ) async throws(ImageError) -> StoredImage {
        let downloads = try await download(sources.archive, progress)
        let tree = try RootTree(directory: "\(work)/root")
        let kernel = "\(work)/image/kernel"
        var unpacked = try await unpack(downloads, into: tree, work, runner, kernel: kernel, progress)

        progress(BuildProgress(phase: .modules))
        try await runner.run(
            .depmod, ["-b", tree.directory, unpacked.release], purpose: "indexing the kernel's modules")
        let ramdisk = try await InitialRamdisk(runner: runner, scratch: work).make(
            release: unpacked.release, tree: tree, architecture: options.architecture, busybox: "usr/bin/busybox")
        try Files.write(ramdisk, to: "\(work)/image/initrd")

        try RootConfiguration.apply(
            to: tree, architecture: options.architecture, suite: options.suite, sources: sources,
            initSystem: options.effectiveInit)
        if try CertificateStore.enableAll(in: tree) { unpacked.database.finish(CertificateStore.package) }
        try RootConfiguration.prepareSecondStage(in: tree, unpacked.database, packages: downloads.guestInstalled)
        try unpacked.database.write(to: tree, digests: try await digests(unpacked.database, tree, runner))
        let disk = RootDisk(runner: runner, path: "\(work)/image/root.raw", scratch: work)
        let console = SecondStageConsole(
            total: UInt64(unpacked.database.unconfigured.count + downloads.guestInstalled.count), progress: progress)
        let native = NativeSecondStage(runner: runner)
        let isNative = try await native.isPossible(for: options.architecture)
        if isNative {
            console.begin()
            try await native.run(in: tree, console)
        }
        progress(BuildProgress(phase: .formatting))
        try await disk.format(tree, size: options.diskSize)
        try Files.removeTree(tree.directory)
        if !isNative {
            console.begin()
            try await runGuest(disk, work, console, configure)
        }
        progress(BuildProgress(phase: .checking))
        try await check(disk, console)
        progress(BuildProgress(phase: .storing))
        let manifest = try await manifest(
            reference, sources.archive, unpacked.release, disk, "\(work)/image", runner)
        try Files.write(try manifest.encoded(), to: "\(work)/image/\(ImageStore.manifestName)")
        return try store.adopt("\(work)/image", manifest)
    }

    /// Runs the second stage in a guest.
    private func runGuest(
        _ disk: RootDisk, _ work: String, _ console: SecondStageConsole,
        _ configure: @Sendable (GuestRun) async throws -> Void
    ) async throws(ImageError) {
        let run = GuestRun(
            architecture: options.architecture, kernel: "\(work)/image/kernel", initrd: "\(work)/image/initrd",
            disk: disk.path, commandLine: "\(Self.kernelWords) quiet panic=-1 aerie.stage2 aerie.rootflags=barrier=0",
            memory: 512 << 20, console: { console.receive($0) })
        do {
            try await configure(run)
        } catch let error as ImageError {
            throw error
        } catch is CancellationError {
            throw .interrupted
        } catch {
            throw ImageError(
                .internalFailure, "configuring packages in the guest: it could not be run: \(error)",
                detail: console.tail)
        }
    }

    /// Believes nothing of the second stage but what it left on the disk.
    private func check(_ disk: RootDisk, _ console: SecondStageConsole) async throws(ImageError) {
        guard try await disk.text(RootConfiguration.marker).hasPrefix("complete") else {
            let found = console.failure ?? "their scripts ended before they were done"
            throw ImageError(
                .internalFailure, "configuring packages: \(found); use --verbose for their output",
                detail: console.tail)
        }
        try await disk.check()
    }
}
