import GuestToolchain
import FoundationEssentials
import Synchronization
import Testing

@testable import GuestImages

/// What a build refuses before it does any work.
@Suite struct BuilderRefusalTests {
    private let scratch: TemporaryDirectory
    private let store: ImageStore

    init() throws {
        scratch = TemporaryDirectory()
        store = ImageStore(
            directories: ImageDirectories(images: "\(scratch.path)/images", cache: "\(scratch.path)/cache"))
    }

    private func failure(
        environment: [String: String] = ProcessInfo.processInfo.environment, aptDirectory: String? = nil,
        _ change: (inout BuildOptions) -> Void
    ) async -> ImageError? {
        var options = BuildOptions()
        change(&options)
        var builder = DebianImageBuilder(store: store, options: options, environment: environment)
        builder.aptDirectory = aptDirectory ?? "\(scratch.path)/apt"
        do {
            _ = try await builder.build(progress: { _ in }, configure: { _ in })
            return nil
        } catch {
            return error
        }
    }

    @Test(arguments: ["--option", "Curl", "a b", "", "curl-", "x=1", "../x", "a;b"])
    func whatIsNoPackagesNameNeverReachesApt(name: String) async {
        #expect(await failure { $0.packages = [name] }?.kind == .usage)
    }

    @Test(arguments: ["ftp://x", "http://a b", "http://a\nb", "", "http://x\"y"])
    func whatIsNoAddressIsNoMirror(mirror: String) async {
        #expect(await failure { $0.mirror = mirror }?.kind == .usage)
    }

    @Test func withoutSourcesOfTheHostAndWithoutAMirrorTheBuildSaysWhatToGive() async throws {
        try Files.makeDirectories("\(scratch.path)/other/sources.list.d")
        try Files.write("deb http://archive.example/other noble main\n", to: "\(scratch.path)/other/sources.list")
        for directory in ["absent", "other"] {
            let error = await failure(aptDirectory: "\(scratch.path)/\(directory)") { _ in }
            #expect(error?.kind.exitCode == 69)
            #expect(
                error?.message
                    == "packages for image debian:trixie: the package sources of this host name no mirror of "
                    + "Debian; name one with 'aerie image build debian:trixie --arch riscv64 --mirror URL'")
        }
        #expect(!Files.exists("\(scratch.path)/images"))
    }

    @Test(arguments: [0, 1 << 20, (1 << 30) + 1, 1 << 41, UInt64.max] as [UInt64])
    func disksOfOddSizesAreRefused(size: UInt64) async {
        #expect(await failure { $0.diskSize = size }?.kind == .usage)
    }

    @Test func aSuiteWithASlashIsRefused() async {
        #expect(await failure { $0.suite = "trixie/../x" }?.kind == .usage)
    }

    @Test func anUnknownArchitectureIsRefusedWithTheKnownOnes() {
        let error = #expect(throws: ImageError.self) { try ImageArchitecture(parsing: "m68k") }
        #expect(error?.message.hasSuffix("choose one of: riscv64, x86_64") == true)
    }

    @Test func aSecondBuildOfTheSameImageIsToldOfTheFirst() async throws {
        try Files.makeDirectories(store.building)
        let path = "\(store.building)/riscv64~debian~trixie.lock"
        guard let lock = try FileLock.take(path: path, mode: .exclusive, create: true) else {
            Issue.record("nobody else holds the lock")
            return
        }
        let error = await failure { $0.mirror = "http://m.example/debian" }
        // Without the tools the build ends even earlier, and says so.
        if HostTool.allCases.allSatisfy({ $0.locate(in: HostTool.searchPath(nil)) != nil }) {
            #expect(error?.message.contains("another process is building it") == true)
        } else {
            #expect(error?.message.contains("not found; install with") == true)
        }
        _ = consume lock
    }

    @Test func missingToolsAreNamedWithTheirPackages() {
        let error = #expect(throws: ImageError.self) {
            try HostTool.requireAll([.mke2fs, .debugfs, .depmod], in: [scratch.path])
        }
        #expect(
            error?.message == "building an image: mke2fs, debugfs, depmod not found; "
                + "install with 'apt-get install e2fsprogs kmod'")
        #expect(error?.kind.exitCode == 69)
    }

    @Test func aStoreThatCannotBeWrittenIsAnErrorWithARemedy() async throws {
        try Files.write("in the way", to: "\(scratch.path)/images")
        let error = await failure { $0.mirror = "http://m.example/debian" }
        #expect(error?.kind == .unavailable)
        #expect(error?.message.contains("\(scratch.path)/images") == true)
    }

    @Test func theConsoleOfTheSecondStageIsFollowedAndBounded() {
        let steps = Mutex<[BuildProgress]>([])
        let console = SecondStageConsole(total: 2) { step in steps.withLock { $0.append(step) } }
        console.receive(Array("Setting up libc6:riscv64 (2.41)".utf8))
        console.receive(Array(" ...\r\nother\nSetting up apt (3.0) ...\nSetting up one-too-many (1)\n".utf8))
        console.receive([UInt8](repeating: 65, count: 100_000))
        console.receive(Array("\naerie-stage2: failed: dpkg --configure -a\r\n".utf8))
        #expect(steps.withLock { $0.map(\.item) } == ["libc6", "apt", "one-too-many"])
        #expect(steps.withLock { $0.map(\.completed) } == [1, 2, 2])
        #expect(console.failure == "dpkg --configure -a")
        #expect(console.tail.utf8.count < 5000)
    }

    @Test func theDigestOfFilesDoesNotDependOnTheirHoles() async throws {
        let runner = ToolRunner(environment: ProcessInfo.processInfo.environment)
        var bytes = [UInt8](repeating: 0, count: 300_000)
        bytes[200_000] = 7
        try Files.write(bytes, to: "\(scratch.path)/dense")
        let sparse = "\(scratch.path)/copy"
        try Files.makeDirectories(sparse)
        try FileManager.default.copyItem(atPath: "\(scratch.path)/dense", toPath: "\(sparse)/dense")
        let digest = ContentDigest(runner: runner)
        let first = try await digest.digest(of: ["dense"], in: scratch.path)
        #expect(first.count == 64)
        #expect(try await digest.digest(of: ["dense"], in: sparse) == first)
        bytes[200_001] = 1
        try Files.write(bytes, to: "\(sparse)/dense")
        #expect(try await digest.digest(of: ["dense"], in: sparse) != first)
    }
}
