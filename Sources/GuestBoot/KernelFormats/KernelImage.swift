/// A kernel in a form that can be loaded: unpacked, and of the right architecture.
enum KernelImage {
    /// A flat RISC-V `Image`.
    case riscvImage(RISCVImageHeader, BootSource)
    case elf(ELFImage)
    /// Code without any header, for the address at which the board loads kernels: riscv64 only.
    case flat(BootSource)
    /// Linux for x86 in its usual form.
    case bzImage(BZImageHeader, BootSource)

    /// How much of a file detection looks at: PE headers of kernels stand within it.
    private static let prefixSize = 4096
    /// A compressed file may hold an EFI zboot image, and that a kernel.
    private static let depthLimit = 2

    /// Finds out what `source` holds, by its magic numbers.
    ///
    /// - Parameter limit: bytes that decompression may produce; the guest's memory.
    init(_ source: BootSource, architecture: Architecture, limit: UInt64) throws(BootError) {
        var source = source
        for depth in 0...Self.depthLimit {
            let prefix = try source.prefix(Self.prefixSize)
            let unpacked: [UInt8]
            if EFIZbootHeader.matches(prefix) {
                if let machine = ForeignKernel.peMachine(prefix), machine != architecture.peMachine { break }
                let header = try EFIZbootHeader(source)
                unpacked = try header.compression.decompress(
                    source, offset: header.payloadOffset, count: header.payloadSize, limit: limit)
            } else if let compression = Compression(header: prefix) {
                unpacked = try compression.decompress(source, offset: 0, count: source.size, limit: limit)
            } else {
                self = try Self.plain(
                    source, prefix: prefix, architecture: architecture, mayBeFlat: depth == 0)
                return
            }
            guard depth < Self.depthLimit else {
                throw .corrupt(source.item, reason: "it is compressed again and again")
            }
            source = try BootSource(source.item, bytes: unpacked)
        }
        self = try Self.plain(
            source, prefix: source.prefix(Self.prefixSize), architecture: architecture, mayBeFlat: false)
    }

    /// - Parameter mayBeFlat: the file is as the user named it; compressed code without a header is not known.
    private static func plain(
        _ source: BootSource, prefix: [UInt8], architecture: Architecture, mayBeFlat: Bool
    ) throws(BootError) -> KernelImage {
        if ELFImage.matches(prefix) { return .elf(try ELFImage(source, architecture: architecture)) }
        if let found = ForeignKernel.name(prefix, for: architecture) {
            throw .wrongArchitecture(source.item, found: found, expected: architecture.name)
        }
        if architecture == .x86_64, BZImageHeader.matches(prefix) {
            return .bzImage(try BZImageHeader(source), source)
        }
        if architecture == .riscv64, RISCVImageHeader.matches(prefix) {
            return .riscvImage(try RISCVImageHeader(source), source)
        }
        if architecture == .riscv64, mayBeFlat, isRISCVCode(prefix) { return .flat(source) }
        throw .unknownFormat(source.item)
    }

    /// Whether a file without a known header may begin with an instruction. Files of other kinds are named as kernels by
    /// mistake: text and archives, EFI programs, and files that begin with one of the two encodings that the architecture
    /// defines as illegal, all zeros and all ones (Unprivileged Architecture 1.5).
    private static func isRISCVCode(_ prefix: [UInt8]) -> Bool {
        guard let first = prefix.littleEndian(at: 0, as: UInt16.self), first != 0, first != .max else { return false }
        let isText = prefix.prefix(64).allSatisfy { (0x20..<0x7F).contains($0) || (0x09...0x0D).contains($0) }
        return !isText && ForeignKernel.peMachine(prefix) == nil
    }
}
