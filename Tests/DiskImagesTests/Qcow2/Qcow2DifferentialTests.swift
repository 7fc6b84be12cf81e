import DiskImages
import GuestToolchain
import Testing

/// Random operations here, and what qemu-img makes of the file; and the other way round.
@Suite struct Qcow2DifferentialTests {
    private let directory = TemporaryDirectory()

    /// A kind of image.
    struct Kind: CustomStringConvertible {
        let options: [String]
        /// Sectors of the disk.
        let sectors: Int
        /// Sectors of the base; nil without one.
        var base: Int?

        var description: String { "\(options) \(sectors) \(base ?? 0)" }
    }

    static let kinds = [
        Kind(options: ["cluster_size=512"], sectors: 3000),
        Kind(options: ["cluster_size=512", "refcount_bits=1"], sectors: 3000, base: 2100),
        Kind(options: ["cluster_size=512", "refcount_bits=64"], sectors: 9000),
        Kind(options: ["cluster_size=1024", "refcount_bits=2"], sectors: 4001, base: 4001),
        Kind(options: ["cluster_size=4096", "refcount_bits=4"], sectors: 3003, base: 777),
        Kind(options: ["cluster_size=4096", "refcount_bits=8", "lazy_refcounts=on"], sectors: 3003),
        Kind(options: ["compat=0.10", "cluster_size=4096"], sectors: 3003),
        Kind(options: ["compat=0.10", "cluster_size=2048"], sectors: 3003, base: 1500),
        Kind(options: [], sectors: 9999),
        Kind(options: ["refcount_bits=32"], sectors: 9999, base: 12_000),
        Kind(options: ["cluster_size=2M"], sectors: 20_000, base: 9000),
        Kind(options: ["preallocation=metadata", "cluster_size=4096"], sectors: 3003),
    ]

    @Test(arguments: kinds, Way.allCases)
    func randomOperationsAgreeWithQEMU(_ kind: Kind, _ way: Way) throws {
        var model = [UInt8](repeating: 0, count: kind.sectors * 512)
        var backing: String?
        if let base = kind.base {
            let bytes = pattern(base * 512, 5)
            backing = try directory.file("base.raw", bytes)
            let count = min(bytes.count, model.count)
            model.replaceSubrange(..<count, with: bytes[..<count])
        }
        let path = directory.path("disk.qcow2")
        var arguments = ["create", "-f", "qcow2"]
        if !kind.options.isEmpty { arguments += ["-o", kind.options.joined(separator: ",")] }
        if let backing { arguments += ["-b", backing, "-F", "raw"] }
        let created = try HostProgram.run(
            try #require(HostProgram.find("qemu-img")), arguments + [path, "\(model.count)"])
        try #require(created.status == 0)
        var random = RandomNumbers(seed: kind.sectors + kind.options.count)
        for round in 0..<3 {
            let opened = try openQcow2(path)
            let image = try way.of(opened)
            for operation in 0..<100 { try Self.step(image, &model, &random, round * 100 + operation) }
            #expect(try image.bytes(at: 0, count: model.count) == model)
            try image.flush()
            image.close()
            #expect(try QemuImage.check(path).corruptions == nil)
            #expect(try QemuImage.check(path).leaks == nil)
            #expect(try QemuImage.contents(of: path, in: directory) == model)
        }
    }

    /// One random operation on an image and on its model.
    static func step(
        _ image: any DiskImage, _ model: inout [UInt8], _ random: inout RandomNumbers, _ seed: Int
    ) throws {
        // Mostly sectors, as guests do, sometimes any bytes.
        let unit = random.next(below: 4) == 0 ? 1 : 512
        let offset = random.next(below: model.count / unit) * unit
        let long = random.next(below: 8) == 0 ? model.count / unit / 3 : 40
        let count = min(model.count - offset, (random.next(below: long) + 1) * unit)
        let range = offset..<offset + count
        switch random.next(below: 9) {
        case 0...3:
            let bytes = pattern(count, seed)
            try image.write(bytes, at: UInt64(offset), cut: [random.next(below: 100), random.next(below: 5000)])
            model.replaceSubrange(range, with: bytes)
        case 4, 5:
            let mayUnmap = random.next(below: 2) == 0
            try image.writeZeroes(at: UInt64(offset), count: UInt64(count), mayUnmap: mayUnmap)
            model.replaceSubrange(range, with: Array(repeating: 0, count: count))
        case 6:
            try image.discard(at: UInt64(offset), count: UInt64(count))
            // Any contents are right, as long as they stay.
            model.replaceSubrange(range, with: try image.bytes(at: UInt64(offset), count: count))
        case 7: if random.next(below: 3) == 0 { try image.flush() }
        default:
            let cut = [random.next(below: 3000)]
            #expect(try image.bytes(at: UInt64(offset), count: count, cut: cut) == Array(model[range]))
        }
    }

    @Test(arguments: ["zlib", "zstd"], Way.allCases)
    func compressedImagesOfQEMUAreReadAndWritten(_ compression: String, _ way: Way) throws {
        var model = (0..<2_000_000).map { UInt8(truncatingIfNeeded: $0 / 300 &* ($0 % 7)) }
        model.removeLast(model.count % 512)
        let raw = try directory.file("disk.raw", model)
        let path = directory.path("disk.qcow2")
        try QemuImage.image(
            "convert", "-f", "raw", "-O", "qcow2", "-c", "-o", "compression_type=\(compression)", raw, path)
        let image = try way.of(openQcow2(path))
        #expect(try image.bytes(at: 0, count: model.count) == model)
        var random = RandomNumbers(seed: 1)
        for operation in 0..<100 { try Self.step(image, &model, &random, operation) }
        #expect(try image.bytes(at: 0, count: model.count) == model)
        image.close()
        #expect(try QemuImage.check(path).corruptions == nil)
        #expect(try QemuImage.check(path).leaks == nil)
        #expect(try QemuImage.contents(of: path, in: directory) == model)
    }

    @Test func chainsOfQEMUAreRead() throws {
        let base = try directory.file("base.raw", pattern(1_000_448, 3))
        let middle = try directory.qcow2("middle.qcow2", size: 1_500_160, "cluster_size=4096", backing: base)
        try QemuImage.io(middle, ["write -P 17 5000 70000", "write -z 300000 90000", "write -P 18 1200000 4096"])
        let top = try directory.qcow2("top.qcow2", size: 1_400_320, backing: middle)
        try QemuImage.io(top, ["write -P 19 65536 100", "discard 655360 131072", "write -z -u 800000 3000"])
        let expected = try QemuImage.contents(of: top, in: directory)
        let image = try openQcow2(top, readOnly: true)
        #expect(image.isReadOnly)
        #expect(try image.bytes(at: 0, count: expected.count) == expected)
        #expect(throws: DiskImageError.readOnly) { try image.write(pattern(512), at: 0) }
        image.close()
        // The chain is named relative to the image that names it.
        try QemuImage.image("rebase", "-u", "-F", "qcow2", "-b", "middle.qcow2", "-f", "qcow2", top)
        #expect(try openQcow2(top, readOnly: true).bytes(at: 0, count: expected.count) == expected)
    }

    @Test func aSnapshotOfQEMUKeepsItsContents() throws {
        let size = 3_000_320
        let path = try directory.qcow2(size: size, "cluster_size=4096")
        try QemuImage.io(path, ["write -P 1 0 2000000"])
        try QemuImage.image("snapshot", "-c", "before", path)
        var model = try QemuImage.contents(of: path, in: directory)
        let old = model
        let image = try openQcow2(path)
        var random = RandomNumbers(seed: 7)
        for operation in 0..<150 { try Self.step(image, &model, &random, operation) }
        image.close()
        #expect(try QemuImage.check(path) == .clean)
        #expect(try QemuImage.contents(of: path, in: directory) == model)
        try QemuImage.image("snapshot", "-a", "before", path)
        #expect(try QemuImage.contents(of: path, in: directory) == old)
        try QemuImage.image("snapshot", "-d", "before", path)
        #expect(try QemuImage.check(path) == .clean)
    }

    @Test func theRefcountTableGrows() throws {
        // A table of one cluster counts 8 MiB of a file with the smallest clusters.
        let path = try directory.qcow2(size: 64 << 20, "cluster_size=512")
        let image = try openQcow2(path)
        var model = [UInt8](repeating: 0, count: 64 << 20)
        let piece = pattern(1 << 20, 9)
        for start in stride(from: 0, to: 40 << 20, by: 1 << 20) {
            try image.write(piece, at: UInt64(start))
            model.replaceSubrange(start..<start + (1 << 20), with: piece)
        }
        image.close()
        #expect(try QemuImage.check(path) == .clean)
        #expect(try QemuImage.contents(of: path, in: directory) == model)
    }
}
