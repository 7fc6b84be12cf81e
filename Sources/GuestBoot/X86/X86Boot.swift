package import GuestMemory

/// How the first processor of an x86 machine begins, once its memory is loaded. The others wait to be started.
package enum X86Start: Equatable, Sendable {
    /// In protected mode without paging, with the address of `startInfo` in EBX (PVH).
    case protected(entry: UInt64, startInfo: UInt64, descriptorTable: UInt64)
    /// In 64-bit mode, with the address of `zeroPage` in RSI (Linux' 64-bit boot protocol).
    case long(entry: UInt64, zeroPage: UInt64, pageTable: UInt64, descriptorTable: UInt64)
}

/// What an x86-64 board boots: a Linux `bzImage` by its 64-bit entry, or an ELF file by its PVH entry.
///
/// Files stay open, so that `load` also serves a reset.
package struct X86Boot: Sendable {
    let kernel: BootSource
    private let initrd: BootSource?
    let commandLine: String

    /// Opens the files; nothing is read yet. `appendedInitrd` is an archive behind the initrd's; nothing without an initrd.
    package init(
        kernel: String?, initrd: String?, appendedInitrd: [UInt8] = [], commandLine: String
    ) throws(BootError) {
        guard let kernel else { throw .nothingToBoot }
        let source = try BootSource(.kernel, path: kernel)
        var initrdSource: BootSource?
        if let initrd { initrdSource = try BootSource(.initrd, path: initrd, appending: appendedInitrd) }
        try self.init(kernel: source, initrd: initrdSource, commandLine: commandLine)
    }

    /// The same from sources that are open already.
    package init(kernel: BootSource, initrd: BootSource?, commandLine: String) throws(BootError) {
        let count = commandLine.utf8.count
        guard count < X86LowMemory.commandLineSize else {
            throw .badCommandLine(
                reason: "\(count) bytes are more than the \(X86LowMemory.commandLineSize - 1) allowed")
        }
        guard !commandLine.utf8.contains(0) else { throw .badCommandLine(reason: "a zero byte is in it") }
        self.kernel = kernel
        self.initrd = initrd
        self.commandLine = commandLine
    }

    /// Loads everything into memory, at start or again at a reset.
    ///
    /// - Parameters:
    ///   - memory: its first range begins at 0.
    ///   - map: what the guest is told of its physical addresses.
    ///   - rsdp: where the root of the ACPI tables is.
    package func load(
        memory: GuestMemory, map: [X86MemoryMapEntry], rsdp: UInt64
    ) throws(BootError) -> (start: X86Start, placements: [BootPlacement]) {
        var layout = BootLayout(memory: memory)
        try layout.place(BootItem(.bootData), at: 0, size: min(X86LowMemory.firmwareEnd, memory.ranges[0].size))
        try writeDescriptorTable(layout)
        try layout.write(
            BootItem(.bootData), Array(commandLine.utf8) + [0], at: X86LowMemory.commandLine)
        let machine = Machine(map: map, rsdp: rsdp, memory: memory.ranges[0])
        let start: X86Start =
            switch try KernelImage(kernel, architecture: .x86_64, limit: memory.size) {
            case .bzImage(let header, let source): try load(header, source, machine, into: &layout)
            case .elf(let elf): try load(elf, machine, into: &layout)
            case .riscvImage, .flat: throw .unknownFormat(kernel.item)
            }
        return (start, layout.placements)
    }

    struct Machine {
        let map: [X86MemoryMapEntry]
        let rsdp: UInt64
        /// The memory from 0 on.
        let memory: GuestMemory.Range
    }

    /// Four entries: none, none, flat code, flat data. Bit 53 makes the code 64-bit; PVH gets 32-bit code in the processor
    /// itself, and loads a table of its own before it loads a segment.
    private func writeDescriptorTable(_ layout: BootLayout) throws(BootError) {
        let descriptors: [UInt64] = [0, 0, 0x00AF_9B00_0000_FFFF, 0x00CF_9300_0000_FFFF]
        try layout.write(BootItem(.bootData), Self.bytes(descriptors), at: X86LowMemory.descriptorTable)
    }

    /// Loads the initrd as high as it may be, and returns where it is.
    func loadInitrd(below limit: UInt64, _ machine: Machine, into layout: inout BootLayout) throws(BootError)
        -> Range<UInt64>?
    {
        guard let initrd else { return nil }
        let top = min(machine.memory.size, limit)
        let address = try layout.placeHigh(
            initrd.item, size: initrd.size, alignment: 0x1000,
            in: [X86LowMemory.firmwareEnd..<max(X86LowMemory.firmwareEnd, top)])
        try layout.copy(initrd, offset: 0, count: initrd.size, to: address)
        return address..<address + initrd.size
    }

    static func bytes<Integer: FixedWidthInteger>(_ values: [Integer]) -> [UInt8] {
        values.flatMap { value in withUnsafeBytes(of: value.littleEndian) { Array($0) } }
    }
}
