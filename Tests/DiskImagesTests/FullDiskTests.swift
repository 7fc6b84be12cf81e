import GuestToolchain
import DiskImages
import Glibc
import HostSystem
import Testing

/// A host that takes no more data. The limit of file sizes stands for a full file system, which tests cannot make: the
/// kernel refuses the write in the same place, after taking the part that fits.
@Suite(.serialized) struct FullDiskTests {
    private static let limit: UInt64 = 1 << 30
    private static let refused = DiskImageError.system(SystemError("pwritev", code: EFBIG))
    private let directory = TemporaryDirectory()

    private func withLimit(_ body: () throws -> Void) throws {
        signal(SIGXFSZ, SIG_IGN)
        let resource = __rlimit_resource_t(1)  // RLIMIT_FSIZE
        var old = rlimit()
        #expect(getrlimit(resource, &old) == 0)
        // The soft limit only, far beyond what other tests of this process write.
        var new = rlimit(rlim_cur: rlim_t(Self.limit), rlim_max: old.rlim_max)
        #expect(setrlimit(resource, &new) == 0)
        defer { setrlimit(resource, &old) }
        try body()
    }

    private func sparseFile() throws -> String {
        let path = try directory.file("disk", [1])
        #expect(truncate(path, 2 << 30) == 0)
        return path
    }

    @Test(arguments: Way.allCases) func aRawImageReportsItAndWorksAgainWhenThereIsSpace(_ way: Way) throws {
        let image = try way.of(RawDiskImage(path: try sparseFile(), readOnly: false))
        try withLimit {
            #expect(throws: Self.refused) { try image.write(pattern(8192), at: Self.limit - 4096) }
            #expect(throws: Self.refused) { try image.write(pattern(512), at: Self.limit) }
            try image.write(pattern(512, 3), at: 512)
        }
        #expect(try image.bytes(at: 512, count: 512) == pattern(512, 3))
        try image.write(pattern(8192), at: Self.limit - 4096)
        #expect(try image.bytes(at: Self.limit - 4096, count: 8192) == pattern(8192))
    }

    @Test(arguments: Way.allCases) func anOverlayKeepsWhatTheGuestCouldReadBefore(_ way: Way) throws {
        let image = try way.of(directory.overlay(of: sparseFile()))
        try image.write(pattern(4096, 1), at: Self.limit - 8192)
        try withLimit {
            // Whole clusters, and parts of clusters that have to be copied up first.
            #expect(throws: Self.refused) { try image.write(pattern(8192), at: Self.limit - 4096) }
            #expect(throws: Self.refused) { try image.write(pattern(512), at: Self.limit + 1024) }
        }
        let zeroes = [UInt8](repeating: 0, count: 8192)
        #expect(try image.bytes(at: Self.limit - 8192, count: 4096) == pattern(4096, 1))
        #expect(try image.bytes(at: Self.limit - 4096, count: 8192) == zeroes)
        try image.write(pattern(512), at: Self.limit + 1024)
        #expect(try image.bytes(at: Self.limit, count: 4096) == zeroes[..<1024] + pattern(512) + zeroes[..<2560])
    }
}
