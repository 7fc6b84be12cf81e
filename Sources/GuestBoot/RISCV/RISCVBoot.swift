package import GuestMemory

/// How a RISC-V machine begins, once its memory is loaded.
package enum RISCVStart: Equatable, Sendable {
    /// Hart 0 starts in supervisor mode at `entry`, with its number in a0 and `deviceTree` in a1. The others are stopped
    /// until SBI starts them.
    case supervisor(entry: UInt64, deviceTree: UInt64)
    /// Every hart starts in machine mode at `RISCVResetVector.address`, where the board has a ROM with `rom` in it.
    case machine(rom: [UInt8], entry: UInt64, deviceTree: UInt64)
}

/// What a RISC-V board boots: a firmware, and above it a kernel or code that is in the board's address space already, such as in flash.
///
/// Memory, from the bottom of DRAM: the firmware at its first byte; the kernel, 2 MiB above it when it is a flat Image;
/// then, from the top down, the device tree and the initrd. Files stay open, so that `load` also serves a reset.
package struct RISCVBoot: Sendable {
    /// The longest command line, in bytes.
    package static let commandLineLimit = 4096
    /// The longest command line that Linux keeps, in bytes; it cuts a longer one off without a word.
    package static let linuxCommandLineLimit = 1023
    /// The distance of the kernel from the bottom of DRAM, as OpenSBI's `fw_jump` has it for 64-bit harts.
    package static let kernelOffset: UInt64 = 0x20_0000
    /// Initrd and device tree stay below if they can, where also firmware with 32-bit assumptions finds them.
    private static let preferredTop: UInt64 = 0xC000_0000
    /// Room for properties that firmware and boot loaders add to the device tree in place.
    private static let deviceTreeSlack: UInt64 = 0x1_0000
    /// The part of it that counts as the tree's own: U-Boot copies a tree of exactly its size to a place just below its own
    /// data, adds random seeds for the kernel to the copy, and would write over that data.
    private static let deviceTreeRoom = 0x1000

    private let kernel: BootSource?
    private let initrd: BootSource?
    private let firmware: BootSource?
    private let commandLine: String?
    private let payload: UInt64?

    /// Opens the files; nothing is read yet.
    ///
    /// - Parameters:
    ///   - appendedInitrd: an archive behind the initrd's; nothing without an initrd.
    ///   - commandLine: goes to `/chosen`; nil leaves what the device tree has.
    ///   - payload: the address of code that starts in S-mode, as a kernel does, if no kernel is given.
    package init(
        kernel: String?, initrd: String? = nil, appendedInitrd: [UInt8] = [], commandLine: String? = nil,
        firmware: String? = nil, payload: UInt64? = nil
    ) throws(BootError) {
        var ramDisk: BootSource?
        if let initrd { ramDisk = try BootSource(.initrd, path: initrd, appending: appendedInitrd) }
        try self.init(
            kernel: Self.open(.kernel, kernel), initrd: ramDisk, commandLine: commandLine,
            firmware: Self.open(.firmware, firmware), payload: payload)
    }

    /// The same from sources that are open already.
    package init(
        kernel: BootSource?, initrd: BootSource?, commandLine: String?, firmware: BootSource?, payload: UInt64? = nil
    ) throws(BootError) {
        guard kernel != nil || firmware != nil || payload != nil else { throw .nothingToBoot }
        if let commandLine {
            let count = commandLine.utf8.count
            guard count <= Self.commandLineLimit else {
                throw .badCommandLine(reason: "\(count) bytes are more than the \(Self.commandLineLimit) allowed")
            }
            guard !commandLine.utf8.contains(0) else { throw .badCommandLine(reason: "a zero byte is in it") }
        }
        self.kernel = kernel
        self.initrd = initrd
        self.firmware = firmware
        self.commandLine = commandLine
        self.payload = payload
    }

    private static func open(_ role: BootItem.Role, _ path: String?) throws(BootError) -> BootSource? {
        guard let path else { return nil }
        return try BootSource(role, path: path)
    }

    /// Loads everything into memory, at start or again at a reset.
    ///
    /// - Parameters:
    ///   - memory: its first range is DRAM.
    ///   - deviceTree: the board's; `/chosen` gets the command line and the initrd.
    /// - Returns: how harts begin, and what was put where.
    package func load(
        memory: GuestMemory, deviceTree: DeviceTree
    ) throws(BootError) -> (start: RISCVStart, placements: [BootPlacement]) {
        var layout = BootLayout(memory: memory)
        let dram = memory.ranges[0]
        var firmwareEntry: UInt64?
        if let firmware { firmwareEntry = try load(firmware: firmware, base: dram.base, into: &layout) }
        var kernelEntry = payload ?? dram.base &+ Self.kernelOffset
        if let kernel { kernelEntry = try load(kernel: kernel, base: dram.base, into: &layout) }
        let address = try load(deviceTree, dram: dram, into: &layout)
        guard let firmwareEntry else {
            return (.supervisor(entry: kernelEntry, deviceTree: address), layout.placements)
        }
        let rom = RISCVResetVector.contents(firmware: firmwareEntry, deviceTree: address, next: kernelEntry)
        return (.machine(rom: rom, entry: firmwareEntry, deviceTree: address), layout.placements)
    }

    /// A firmware is an ELF file, or else raw code for the bottom of DRAM.
    private func load(
        firmware source: BootSource, base: UInt64, into layout: inout BootLayout
    ) throws(BootError) -> UInt64 {
        let prefix = try source.prefix(4096)
        if ELFImage.matches(prefix) {
            return try ELFImage(source, architecture: .riscv64).load(base: base, into: &layout)
        }
        if let found = ForeignKernel.name(prefix, for: .riscv64) {
            throw .wrongArchitecture(source.item, found: found, expected: Architecture.riscv64.name)
        }
        if let compression = Compression(header: prefix), compression == .gzip || compression == .zstd {
            throw .unsupportedCompression(source.item, method: compression.rawValue)
        }
        try layout.place(source.item, at: base, size: source.size)
        try layout.copy(source, offset: 0, count: source.size, to: base)
        return base
    }

    private func load(
        kernel source: BootSource, base: UInt64, into layout: inout BootLayout
    ) throws(BootError) -> UInt64 {
        switch try KernelImage(source, architecture: .riscv64, limit: layout.memory.size) {
        case .elf(let elf): return try elf.load(base: base &+ Self.kernelOffset, into: &layout)
        case .flat(let source):
            let address = base &+ Self.kernelOffset
            try layout.place(source.item, at: address, size: source.size)
            try layout.copy(source, offset: 0, count: source.size, to: address)
            return address
        case .riscvImage(let header, let source):
            // The header is Linux' own; other forms do not say what they take, and get everything.
            if let count = commandLine?.utf8.count, count > Self.linuxCommandLineLimit {
                throw .badCommandLine(
                    reason: "\(count) bytes are more than the \(Self.linuxCommandLineLimit) that Linux keeps")
            }
            let (address, overflow) = base.addingReportingOverflow(header.textOffset)
            let size = max(header.imageSize, source.size)
            guard !overflow else {
                throw .corrupt(source.item, reason: "its text offset is \(hexadecimal(header.textOffset))")
            }
            try layout.place(source.item, at: address, size: size)
            try layout.copy(source, offset: 0, count: source.size, to: address)
            return address
        case .bzImage: throw .unknownFormat(source.item)
        }
    }

    /// Places the device tree and the initrd, then writes both. Returns the device tree's address.
    private func load(
        _ tree: DeviceTree, dram: GuestMemory.Range, into layout: inout BootLayout
    ) throws(BootError) -> UInt64 {
        let regions = Self.regions(of: dram)
        var tree = tree
        tree.root.update("chosen") { chosen in
            if let commandLine { chosen.set("bootargs", string: commandLine) }
            if initrd != nil {
                // Placeholders of the final size, because the size decides the addresses.
                chosen.set("linux,initrd-start", cells64: [0])
                chosen.set("linux,initrd-end", cells64: [0])
            }
        }
        let size = UInt64(tree.encoded().count) + Self.deviceTreeSlack
        let address = try layout.placeHigh(BootItem(.deviceTree), size: size, alignment: 0x1000, in: regions)
        if let initrd {
            let start = try layout.placeHigh(initrd.item, size: initrd.size, alignment: 0x1000, in: regions)
            try layout.copy(initrd, offset: 0, count: initrd.size, to: start)
            tree.root.update("chosen") { chosen in
                chosen.set("linux,initrd-start", cells64: [start])
                chosen.set("linux,initrd-end", cells64: [start + initrd.size])
            }
        }
        try layout.write(BootItem(.deviceTree), tree.encoded(room: Self.deviceTreeRoom), at: address)
        return address
    }

    /// Where initrd and device tree may go, the best place first. Below the kernel is the last resort: a firmware works
    /// there, and older kernels do not use that memory.
    private static func regions(of dram: GuestMemory.Range) -> [Range<UInt64>] {
        let end = dram.base + dram.size
        let bottom = min(dram.base + kernelOffset, end)
        return [bottom..<max(bottom, min(end, preferredTop)), bottom..<end, dram.base..<end]
    }
}
