internal import GuestMemory
internal import HostSystem

/// The kernel proper of a `bzImage`, decompressed here instead of in the guest.
///
/// The host does it faster than a kernel that may not use vector registers, and a guest whose kernel code is emulated could
/// take minutes over it. What the kernel's own decompressor does besides, choosing its virtual addresses at random, is done here
/// as well.
struct UnpackedKernel {
    private let elf: ELFImage
    private let relocations: KernelRelocations?

    /// The kernel's virtual addresses begin here, and its image stays below 1 GiB from there
    /// (Linux, Documentation/arch/x86/x86_64/mm.rst).
    static let virtualBase: UInt64 = 0xFFFF_FFFF_8000_0000
    private static let imageRoom: UInt64 = 1 << 30

    /// - Parameter limit: bytes that decompression may produce.
    /// - Returns: nil when the kernel's own decompressor is to do it: where the compression or what comes of it is not known here.
    init?(_ header: BZImageHeader, _ source: BootSource, limit: UInt64) throws(BootError) {
        guard header.compressed.size > 0 else { return nil }
        let (offset, size) = header.compressed
        try source.check(offset: offset, count: size)
        let magic = try source.bytes(at: offset, count: Int(min(size, 16)))
        guard let compression = Compression(header: magic), compression.isSupported else { return nil }
        let image = try BootSource(
            source.item, bytes: compression.decompress(source, offset: offset, count: size, limit: limit))
        guard ELFImage.matches(try image.prefix(4)) else { return nil }
        elf = try ELFImage(image, architecture: .x86_64)
        guard elf.end < image.size else {
            relocations = nil
            return
        }
        guard let relocations = try KernelRelocations(image, from: elf.end), header.alignment >= 1 << 20,
            header.alignment & (header.alignment - 1) == 0
        else { return nil }
        self.relocations = relocations
    }

    /// Whether the kernel was built to run at other addresses than it was linked for.
    var canMove: Bool { relocations != nil }

    /// Loads the kernel where it was linked to be in memory, its virtual addresses at random if it can move and is to.
    ///
    /// - Returns: the address of its 64-bit entry.
    func load(moving: Bool, _ header: BZImageHeader, into layout: inout BootLayout) throws(BootError) -> UInt64 {
        let entry = try elf.load(base: header.loadAddress, into: &layout)
        guard moving, let relocations else { return entry }
        let distance = try Self.randomDistance(header, item: elf.source.item)
        try relocations.apply(
            distance, base: elf.segments[0].physicalAddress, size: elf.extent, memory: layout.memory,
            item: elf.source.item)
        return entry
    }

    private static func randomDistance(_ header: BZImageHeader, item: BootItem) throws(BootError) -> UInt64 {
        let (end, overflow) = header.loadAddress.addingReportingOverflow(header.initialSize)
        guard !overflow, end <= imageRoom else { return 0 }
        var random: UInt64 = 0
        do throws(SystemError) {
            try withUnsafeMutableBytes(of: &random) { bytes throws(SystemError) in try fillWithRandomBytes(bytes) }
        } catch {
            throw .unreadable(item, reason: "no random numbers: \(error)")
        }
        return random % ((imageRoom - end) / header.alignment + 1) * header.alignment
    }
}
