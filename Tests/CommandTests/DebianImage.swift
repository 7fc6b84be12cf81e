import Foundation

/// Debian's image for the tests that boot it, built once by the program under test and kept beside the build.
struct DebianImage {
    /// For most tests: riscv64, with `lspci`.
    static let usual = DebianImage(architecture: "riscv64", directory: "test-images", packages: ["pciutils"])
    /// With programs that are large, or translate themselves, and one that runs guests with KVM.
    static let programs = DebianImage(
        architecture: "riscv64", directory: "test-images-programs",
        packages: ["nodejs", "python3", "default-jre-headless", "gcc", "libc6-dev", "git", "qemu-system-riscv"])
    /// With systemd, and programs that run containers.
    static let containers = DebianImage(
        architecture: "riscv64", directory: "test-images-containers",
        packages: ["podman", "nftables", "docker.io", "docker-cli", "iptables", "busybox-static"],
        options: ["--init", "systemd"])
    static let amd64 = DebianImage(architecture: "x86_64", directory: "test-images-x86_64", packages: [])

    /// Why there is no image; nil when there is one.
    let obstacle: String?
    private let data: URL
    private let architecture: String

    /// Of the usual image.
    static var obstacle: String? { usual.obstacle }
    static let environment = usual.environment
    var environment: [String: String] { Self.environment(data) }

    static func file(_ name: String) throws -> String { try usual.file(name) }

    static func run(_ arguments: [String], input: String = "", wrapper: [String] = []) throws -> AerieResult {
        try usual.run(arguments, input: input, wrapper: wrapper)
    }

    func run(_ arguments: [String], input: String = "", wrapper: [String] = []) throws -> AerieResult {
        try AerieProcess().run(arguments, input: input, environment: environment, wrapper: wrapper)
    }

    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    /// Where what is built here lies, and what tests keep.
    static let buildDirectory = root.appending(path: ".build")

    /// A run of all tests needs all images. They are built at the same time, since most of a build is one thread's work.
    private static let allAreBegun: Void = {
        guard !CommandLine.arguments.contains("--filter") else { return }
        Thread.detachNewThread { _ = usual }
        Thread.detachNewThread { _ = programs }
        Thread.detachNewThread { _ = amd64 }
        Thread.detachNewThread { _ = containers }
    }()

    /// - Parameter options: of the build, besides the packages.
    private init(architecture: String, directory: String, packages: [String], options: [String] = []) {
        Self.allAreBegun
        data = Self.buildDirectory.appending(path: directory)
        self.architecture = architecture
        obstacle = Self.prepare(architecture, data, packages, options)
    }

    /// Where the packages of the image are kept.
    var packageCache: String { Self.packageCache(data) }

    private static func packageCache(_ data: URL) -> String { data.appending(path: "cache").path }

    /// Paths of the image's files, from its manifest's place.
    func file(_ name: String) throws -> String { Self.file(name, architecture, data) }

    /// The file of the image with the tag: those of images that were replaced stay as long as machines have them. Empty where there is none.
    private static func file(_ name: String, _ architecture: String, _ data: URL) -> String {
        let path = data.appending(path: "aerie/images/tags/\(architecture)/debian/trixie/\(name)").path
        return FileManager.default.fileExists(atPath: path) ? path : ""
    }

    private static func environment(_ data: URL) -> [String: String] {
        var environment = ProcessInfo.processInfo.environment
        environment["XDG_DATA_HOME"] = data.path
        // Commands in equal guests boot once in all tests.
        environment["XDG_CACHE_HOME"] = buildDirectory.appending(path: "test-cache").path
        // Each test has machines of its own.
        environment["HOME"] = nil
        environment["XDG_STATE_HOME"] = nil
        environment["SWIFT_BACKTRACE"] = "enable=no"
        return environment
    }

    private static func prepare(
        _ architecture: String, _ data: URL, _ packages: [String], _ options: [String]
    ) -> String? {
        func run(_ arguments: [String]) throws -> AerieResult {
            let selection = ["--arch", architecture, "debian"]
            var environment = environment(data)
            // Two builds cannot share a cache of packages at the same time.
            environment["XDG_CACHE_HOME"] = packageCache(data)
            return try AerieProcess().run(arguments + selection, input: "", environment: environment)
        }
        let known = (try? run(["image", "inspect"]))?.code == 0
        if known, !isOutdated(architecture, data, packages) { return nil }
        do {
            if known { _ = try run(["image", "rm"]) }
            let result = try run(["image", "build"] + options + packages.flatMap { ["--package", $0] })
            // Without a network or a tool there is nothing to boot; anything else is a defect that the tests must show.
            return result.code == 69 ? result.error : nil
        } catch {
            return "\(error)"
        }
    }

    /// The builder changed after the image was made, or it lacks what the tests want.
    private static func isOutdated(_ architecture: String, _ data: URL, _ packages: [String]) -> Bool {
        func changed(_ path: String) -> Date {
            (try? FileManager.default.attributesOfItem(atPath: path)[.modificationDate] as? Date) ?? .distantFuture
        }
        // The initial RAM disk has the agent.
        let sources = ["Sources/GuestImages", "guest/Agent"].flatMap { directory -> [String] in
            let path = root.appending(path: directory).path
            return ((try? FileManager.default.subpathsOfDirectory(atPath: path)) ?? []).map { "\(path)/\($0)" }
        }
        let made = file("manifest.json", architecture, data)
        guard let manifest = try? String(contentsOfFile: made, encoding: .utf8),
            packages.allSatisfy({ manifest.contains("\"\($0)\"") })
        else { return true }
        return sources.contains { changed($0) > changed(made) }
    }
}
