import GuestToolchain
import FoundationEssentials
import Synchronization
import TestSupport
import Testing

@testable import GuestImages

@Suite struct ImageStoreTests {
    private let scratch: TemporaryDirectory
    private let store: ImageStore
    private let debian: ImageReference

    init() throws {
        scratch = TemporaryDirectory()
        store = ImageStore(
            directories: ImageDirectories(images: "\(scratch.path)/images", cache: "\(scratch.path)/cache"))
        debian = try ImageReference(parsing: "debian")
    }

    private func manifest(_ reference: ImageReference, digest: String) -> ImageManifest {
        ImageManifest(
            reference: reference, architecture: .riscv64, kernel: "kernel", initrd: "initrd", rootDisk: "root.raw",
            kernelRelease: "6.12", commandLine: "console=ttyS0", created: Date(timeIntervalSince1970: 1_700_000_000),
            mirror: "http://m.example/debian", packages: [.init(name: "apt", version: "3.0")], diskSize: 4 << 30,
            digest: digest)
    }

    /// Puts a small image into the store as a build does at its end.
    @discardableResult
    private func adopt(_ reference: ImageReference, digest: String, key: String = "test") throws -> StoredImage {
        let directory = "\(store.building)/\(key)/image"
        try Files.makeDirectories(directory)
        for name in ["kernel", "initrd", "root.raw"] { try Files.write(name, to: "\(directory)/\(name)") }
        let manifest = manifest(reference, digest: digest)
        try Files.write(try manifest.encoded(), to: "\(directory)/manifest.json")
        return try store.adopt(directory, manifest)
    }

    @Test func aManifestComesBackFromItsBytes() throws {
        let manifest = manifest(debian, digest: "ab")
        let bytes = try manifest.encoded()
        #expect(try ImageManifest.decoder.decode(ImageManifest.self, from: Data(bytes)) == manifest)
        let text = String(decoding: bytes, as: UTF8.self)
        #expect(text.contains("\"created\" : \"2023-11-14T22:13:20Z\""))
        #expect(text.contains("\"reference\" : \"debian:trixie\""))
    }

    @Test func anAdoptedImageIsFoundListedAndRemoved() throws {
        let image = try adopt(debian, digest: "aa")
        #expect(image.identity == "aa")
        #expect(image.rootDiskPath == "\(scratch.path)/images/objects/aa/root.raw")
        #expect(store.list().map(\.identity) == ["aa"])
        #expect(try store.image(debian, .riscv64).manifest == image.manifest)
        try store.remove(debian, .riscv64)
        #expect(store.list().isEmpty)
        #expect(!Files.exists(image.directory))
        #expect(throws: ImageError.self) { try store.remove(debian, .riscv64) }
    }

    @Test func aNewBuildTakesTheNameAndPruneTheOldFiles() throws {
        let old = try adopt(debian, digest: "aa")
        try adopt(debian, digest: "bb")
        #expect(try store.image(debian, .riscv64).identity == "bb")
        #expect(Files.exists(old.rootDiskPath))
        #expect(try store.prune(keeping: ["aa"]).images.isEmpty)
        let pruned = try store.prune()
        #expect(pruned.images == ["aa"] && pruned.bytes > 0)
        #expect(!Files.exists(old.directory))
        #expect(store.list().map(\.identity) == ["bb"])
    }

    @Test func anImageInUseIsNeitherRemovedNorPruned() throws {
        let image = try adopt(debian, digest: "aa")
        do {
            let lease = try store.lease(image)
            let second = try store.lease(image)
            let error = #expect(throws: ImageError.self) { try store.remove(debian, .riscv64) }
            #expect(error?.kind == .unavailable)
            try adopt(debian, digest: "bb")
            #expect(try store.prune().images.isEmpty)
            #expect(Files.exists(image.rootDiskPath))
            _ = consume lease
            _ = consume second
        }
        // A child process of another test has the leases, too, until its program begins.
        var pruned: [String] = []
        #expect(
            try Patience.wait {
                pruned = try store.prune().images
                return !pruned.isEmpty
            })
        #expect(pruned == ["aa"])
    }

    @Test func filesOfTwoNamesStayUntilTheLastNameGoes() throws {
        let other = try ImageReference(parsing: "mine:1")
        let image = try adopt(debian, digest: "aa")
        try adopt(other, digest: "aa")
        try store.remove(debian, .riscv64)
        #expect(Files.exists(image.rootDiskPath))
        try store.remove(other, .riscv64)
        #expect(!Files.exists(image.rootDiskPath))
    }

    @Test func whatADeadBuildLeftIsPrunedAndALivingOneIsNot() throws {
        for key in ["dead", "living"] {
            try Files.makeDirectories("\(store.building)/\(key)/image")
            try Files.write("", to: "\(store.building)/\(key).lock")
        }
        let path = "\(store.building)/living.lock"
        guard let lock = try FileLock.take(path: path, mode: .exclusive, create: true) else {
            Issue.record("nobody else holds the lock")
            return
        }
        #expect(try store.prune().builds == 1)
        #expect(!Files.exists("\(store.building)/dead"))
        #expect(Files.exists("\(store.building)/living/image"))
        _ = consume lock
    }

    private final class Flag: Sendable {
        let isSet = Atomic(false)
    }

    @Test func imagesThatAreAdoptedWhileOthersPruneAndRemoveAreAllThereAtTheEnd() async throws {
        let kept = try ImageReference(parsing: "kept:1")
        let isOver = Flag()
        async let pruning: Void = Task.detached {
            while !isOver.isSet.load(ordering: .relaxed) {
                _ = try store.prune()
                // The end comes from a task that may wait for this one's thread.
                await Task.yield()
            }
        }.value
        // Two names for the same files come and go, and a third one stays: whichever goes last must not take its files along.
        async let adopting: Void = withThrowingTaskGroup(of: Void.self) { group in
            for worker in 0..<3 {
                group.addTask {
                    let reference = try ImageReference(parsing: worker == 0 ? "kept:1" : "name\(worker):1")
                    for round in 0..<60 {
                        let image = try adopt(reference, digest: "d\(round % 5)", key: "w\(worker)")
                        #expect(image.manifest.reference.tag == "1")
                        if worker > 0 { try store.remove(reference, .riscv64) }
                        #expect(try store.image(worker == 0 ? reference : kept, .riscv64).identity.hasPrefix("d"))
                    }
                }
                if worker == 0 { try await group.next() }
            }
            try await group.waitForAll()
        }
        try await adopting
        isOver.isSet.store(true, ordering: .relaxed)
        try await pruning
        #expect(store.list().map(\.identity) == ["d4"])
        #expect(Files.list(store.building).filter { $0.hasPrefix("discarded") } == [])
        _ = try store.prune()
        #expect(Files.list("\(scratch.path)/images/objects") == ["d4"])
    }

    @Test func aBuildThatBeginsWhileOthersPruneGetsItsLock() async throws {
        let isOver = Flag()
        async let pruning: Void = Task.detached {
            while !isOver.isSet.load(ordering: .relaxed) {
                _ = try store.prune()
                // The end comes from a task that may wait for this one's thread.
                await Task.yield()
            }
        }.value
        for _ in 0..<200 {
            try Files.makeDirectories("\(store.building)/key/image")
            guard let lock = try store.buildLock("\(store.building)/key") else {
                Issue.record("only prune held the lock")
                break
            }
            _ = consume lock
        }
        isOver.isSet.store(true, ordering: .relaxed)
        try await pruning
    }

    @Test func damagedImagesAreReportedNotListed() throws {
        let image = try adopt(debian, digest: "aa")
        try Files.removeTree(image.rootDiskPath)
        let missing = #expect(throws: ImageError.self) { try store.image(debian, .riscv64) }
        #expect(missing?.kind == .badInput)
        #expect(missing?.message.contains("'root.raw' is missing") == true)
        try Files.write("{", to: "\(image.directory)/manifest.json")
        let damaged = #expect(throws: ImageError.self) { try store.image(debian, .riscv64) }
        #expect(damaged?.message.contains("its manifest is damaged") == true)
        #expect(store.list().isEmpty)
        try store.remove(debian, .riscv64)
    }

    @Test func aManifestCannotNameFilesElsewhere() throws {
        let image = try adopt(debian, digest: "aa")
        var manifest = image.manifest
        manifest.rootDisk = "../../../../etc/passwd"
        try Files.write(try manifest.encoded(), to: "\(image.directory)/manifest.json")
        #expect(throws: ImageError.self) { try store.image(debian, .riscv64) }
    }

    @Test(arguments: ["", "../x", ".hidden", "a/b", "debian:../x", "debian:", "Debian", "a b", "x:y:z", "debian:.."])
    func namesThatCouldLeaveTheStoreAreRefused(text: String) {
        let error = #expect(throws: ImageError.self) { try ImageReference(parsing: text) }
        #expect(error?.kind == .usage)
    }

    @Test(arguments: [
        ("debian", "debian:trixie"), ("debian:sid", "debian:sid"), ("mine", "mine:latest"),
        ("a:1.2_3+b-c", "a:1.2_3+b-c"),
    ])
    func namesAreReadWithTheirDefaultTags(text: String, full: String) throws {
        #expect(try ImageReference(parsing: text).description == full)
    }

    @Test func directoriesFollowTheEnvironmentAndIgnoreRelativePaths() throws {
        let named = try ImageDirectories(environment: ["XDG_DATA_HOME": "/d", "XDG_CACHE_HOME": "/c", "HOME": "/h"])
        #expect(named == ImageDirectories(images: "/d/aerie/images", cache: "/c/aerie"))
        let fallback = try ImageDirectories(environment: ["XDG_DATA_HOME": "d", "HOME": "/h"])
        #expect(fallback == ImageDirectories(images: "/h/.local/share/aerie/images", cache: "/h/.cache/aerie"))
    }
}
