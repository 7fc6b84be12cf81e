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
    private let commandLine: String

    /// Opens the files; nothing is read yet.
    package init(kernel: String?, initrd: String?, commandLine: String) throws(BootError) {
        guard let kernel else { throw .nothingToBoot }
        let source = try BootSource(.kernel, path: kernel)
        var initrdSource: BootSource?
        if let initrd { initrdSource = try BootSource(.initrd, path: initrd) }
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
            case .riscvImage: throw .unknownFormat(kernel.item)
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

// MARK: The 64-bit entry of a bzImage

extension X86Boot {
    private func load(
        _ header: BZImageHeader, _ source: BootSource, _ machine: Machine, into layout: inout BootLayout
    ) throws(BootError) -> X86Start {
        guard commandLine.utf8.count <= header.longestCommandLine else {
            throw .badCommandLine(
                reason: "\(commandLine.utf8.count) bytes are more than the kernel's \(header.longestCommandLine)")
        }
        try layout.place(source.item, at: header.loadAddress, size: header.initialSize)
        try layout.copy(
            source, offset: header.payloadOffset, count: source.size - header.payloadOffset, to: header.loadAddress)
        let initrd = try loadInitrd(below: header.highestInitrd + 1, machine, into: &layout)
        try layout.write(
            BootItem(.bootData), zeroPage(header, initrd, machine), at: X86LowMemory.parameters)
        try writePageTables(layout)
        return .long(
            entry: header.loadAddress + BZImageHeader.entryOffset, zeroPage: X86LowMemory.parameters,
            pageTable: X86LowMemory.pageTables, descriptorTable: X86LowMemory.descriptorTable)
    }

    /// The zero page (Documentation/arch/x86/zero-page.rst):
    ///
    ///     offset  size  field                        offset  size  field
    ///        070     8  address of the RSDP             210     1  type of loader, FF: none of the known
    ///        0C0     4  initrd address, high half       218     4  initrd address
    ///        0C4     4  initrd size, high half          21C     4  initrd size
    ///        1E8     1  entries of the memory map       228     4  address of the command line
    ///        1F1     n  the kernel's setup header       2D0  20×n  memory map: base, size, kind
    private func zeroPage(_ header: BZImageHeader, _ initrd: Range<UInt64>?, _ machine: Machine) -> [UInt8] {
        var page = [UInt8](repeating: 0, count: 4096)
        func set<Integer: FixedWidthInteger>(_ value: Integer, at offset: Int) {
            page.replaceSubrange(offset..<offset + MemoryLayout<Integer>.size, with: Self.bytes([value]))
        }
        page.replaceSubrange(BZImageHeader.offset..<BZImageHeader.offset + header.bytes.count, with: header.bytes)
        set(machine.rsdp, at: 0x70)
        set(UInt8(0xFF), at: 0x210)
        if let initrd {
            // It lies below 4 GiB, so that the high halves stay 0.
            set(UInt32(truncatingIfNeeded: initrd.lowerBound), at: 0x218)
            set(UInt32(truncatingIfNeeded: initrd.upperBound - initrd.lowerBound), at: 0x21C)
        }
        set(UInt32(X86LowMemory.commandLine), at: 0x228)
        set(UInt8(machine.map.count), at: 0x1E8)
        for (index, entry) in machine.map.enumerated() {
            set(entry.base, at: 0x2D0 + 20 * index)
            set(entry.size, at: 0x2D8 + 20 * index)
            set(entry.kind.rawValue, at: 0x2E0 + 20 * index)
        }
        return page
    }

    /// The first 4 GiB at their own addresses, in pages of 2 MiB: kernel, parameters and command line are there.
    private func writePageTables(_ layout: BootLayout) throws(BootError) {
        let present: UInt64 = 0x3
        let large: UInt64 = 0x83
        let tables = X86LowMemory.pageTables
        let upper = tables + 0x1000
        let first = upper + 0x1000
        var levelThree = [UInt64](repeating: 0, count: 512)
        for index in 0..<4 { levelThree[index] = first + 0x1000 * UInt64(index) | present }
        let levelTwo = (0..<4 * 512).map { UInt64($0) << 21 | large }
        let item = BootItem(.bootData)
        try layout.write(
            item, Self.bytes([upper | present] + [UInt64](repeating: 0, count: 511)), at: tables)
        try layout.write(item, Self.bytes(levelThree), at: upper)
        try layout.write(item, Self.bytes(levelTwo), at: first)
    }
}
