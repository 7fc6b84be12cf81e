internal import GuestMemory

// MARK: The 64-bit entry of a bzImage

extension X86Boot {
    func load(
        _ header: BZImageHeader, _ source: BootSource, _ machine: Machine, into layout: inout BootLayout
    ) throws(BootError) -> X86Start {
        guard commandLine.utf8.count <= header.longestCommandLine else {
            throw .badCommandLine(
                reason: "\(commandLine.utf8.count) bytes are more than the kernel's \(header.longestCommandLine)")
        }
        var header = header
        let entry: UInt64
        if let unpacked = try UnpackedKernel(header, source, limit: layout.memory.size) {
            let isFixed = commandLine.split(separator: " ").contains("nokaslr")
            entry = try unpacked.load(moving: !isFixed, header, into: &layout)
            header.isRandomized = unpacked.canMove && !isFixed
        } else {
            try layout.place(source.item, at: header.loadAddress, size: header.initialSize)
            try layout.copy(
                source, offset: header.payloadOffset, count: source.size - header.payloadOffset,
                to: header.loadAddress)
            entry = header.loadAddress + BZImageHeader.entryOffset
        }
        let initrd = try loadInitrd(below: header.highestInitrd + 1, machine, into: &layout)
        try layout.write(
            BootItem(.bootData), zeroPage(header, initrd, machine), at: X86LowMemory.parameters)
        try writePageTables(layout)
        return .long(
            entry: entry, zeroPage: X86LowMemory.parameters,
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
