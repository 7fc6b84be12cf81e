import Testing

@testable import GuestImages

@Suite struct KernelModulesTests {
    private let modules = KernelModules(
        dependencies: """
            kernel/fs/ext4/ext4.ko.xz: kernel/lib/crc16.ko.xz kernel/fs/mbcache.ko.xz kernel/fs/jbd2/jbd2.ko.xz
            kernel/fs/jbd2/jbd2.ko.xz:
            kernel/fs/mbcache.ko.xz:
            kernel/lib/crc16.ko.xz:
            kernel/crypto/crc32c_generic.ko.xz:
            kernel/net/9p/9pnet_virtio.ko.xz: kernel/net/9p/9pnet.ko.xz
            kernel/net/9p/9pnet.ko.xz:
            kernel/drivers/char/hw_random/virtio-rng.ko:
            """,
        builtin: "kernel/fs/fuse/virtiofs.ko\nkernel/lib/crc32.ko\n",
        soft: "# comment\nsoftdep ext4 pre: crypto-crc32c post: nothing\nsoftdep jbd2 pre: crypto-crc32c\n",
        aliases: "alias crypto-crc32c crc32c_generic\nalias virtio:d00000004v* virtio_rng\n")

    @Test func whatAModuleNeedsIsLoadedBeforeIt() throws {
        #expect(
            try modules.loadOrder(["9pnet_virtio"]) == [
                "kernel/net/9p/9pnet.ko.xz", "kernel/net/9p/9pnet_virtio.ko.xz",
            ])
    }

    @Test func softDependenciesComeBeforeWhateverNamesThem() throws {
        #expect(
            try modules.loadOrder(["ext4"]) == [
                "kernel/crypto/crc32c_generic.ko.xz", "kernel/fs/jbd2/jbd2.ko.xz", "kernel/fs/mbcache.ko.xz",
                "kernel/lib/crc16.ko.xz", "kernel/fs/ext4/ext4.ko.xz",
            ])
    }

    @Test func noFileIsLoadedTwiceAndBuiltInModulesNeedNone() throws {
        #expect(
            try modules.loadOrder(["jbd2", "virtiofs", "crc16", "jbd2"]) == [
                "kernel/crypto/crc32c_generic.ko.xz", "kernel/fs/jbd2/jbd2.ko.xz", "kernel/lib/crc16.ko.xz",
            ])
    }

    @Test func namesWithDashesAreNamesWithUnderscores() throws {
        #expect(KernelModules.name(of: "kernel/a/virtio-rng.ko.xz") == "virtio_rng")
        #expect(try modules.loadOrder(["virtio-rng"]) == ["kernel/drivers/char/hw_random/virtio-rng.ko"])
        #expect(modules.has("virtio_rng") && modules.has("crc32") && !modules.has("overlay"))
    }

    @Test func aMissingModuleIsAnError() {
        #expect(throws: ImageError.self) { try modules.loadOrder(["xfs"]) }
    }

    @Test(arguments: [
        ("kernel/fs/ext4/ext4.ko.xz", false), ("kernel/sound/core/snd.ko.xz", true),
        ("kernel/drivers/net/tun.ko.xz", false),
        ("kernel/drivers/net/wireless/a/b/c.ko.xz", true), ("kernel/drivers/gpu/drm/virtio/virtio-gpu.ko.xz", false),
        ("modules.builtin", false), ("kernel/soundless/x.ko", false),
    ])
    func driversOfHardwareStayOut(path: String, out: Bool) {
        #expect(GuestModules.isForHardware(path) == out)
    }
}
