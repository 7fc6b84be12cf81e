internal import GuestMemory

// The PVH boot protocol (Xen, docs/misc/pvh.pandoc, and include/xen/interface/hvm/start_info.h of Linux): the entry stands in
// a note of the ELF file, and EBX leads to a structure, little endian:
//
//     start info                              module                   memory map entry
//      0  4  magic 336EC578                    0  8  address            0  8  base
//      4  4  version, 1                        8  8  size              8  8  size
//      8  4  flags                            16  8  command line      16  4  kind, as E820
//     12  4  number of modules                24  8  0                 20  4  0
//     16  8  address of the modules
//     24  8  address of the command line
//     32  8  address of the RSDP
//     40  8  address of the memory map
//     48  4  entries of the memory map
//     52  4  0

extension X86Boot {
    private static let entryNote: UInt32 = 18
    private static let magic: UInt32 = 0x336E_C578
    private static let modulesOffset: UInt64 = 0x40
    private static let mapOffset: UInt64 = 0x60

    func load(_ elf: ELFImage, _ machine: Machine, into layout: inout BootLayout) throws(BootError) -> X86Start {
        guard let descriptor = try elf.note(named: "Xen", type: Self.entryNote),
            let entry = Self.address(descriptor)
        else {
            throw .corrupt(kernel.item, reason: "an ELF kernel without the note of a PVH entry")
        }
        _ = try elf.load(base: X86LowMemory.firmwareEnd, into: &layout)
        let initrd = try loadInitrd(below: 1 << 32, machine, into: &layout)
        let item = BootItem(.bootData)
        let base = X86LowMemory.parameters
        try layout.write(item, startInfo(initrd, machine), at: base)
        if let initrd {
            let module = [initrd.lowerBound, initrd.upperBound - initrd.lowerBound, 0, 0]
            try layout.write(item, Self.bytes(module), at: base + Self.modulesOffset)
        }
        let map = machine.map.flatMap { [$0.base, $0.size, UInt64($0.kind.rawValue)] }
        try layout.write(item, Self.bytes(map), at: base + Self.mapOffset)
        return .protected(entry: entry, startInfo: base, descriptorTable: X86LowMemory.descriptorTable)
    }

    /// The note's descriptor is an address of 4 or 8 bytes.
    private static func address(_ descriptor: [UInt8]) -> UInt64? {
        if let value: UInt64 = descriptor.littleEndian(at: 0) { return value }
        return descriptor.littleEndian(at: 0, as: UInt32.self).map(UInt64.init)
    }

    private func startInfo(_ initrd: Range<UInt64>?, _ machine: Machine) -> [UInt8] {
        let base = X86LowMemory.parameters
        return Self.bytes([Self.magic, 1, 0, initrd == nil ? 0 : 1] as [UInt32])
            + Self.bytes([
                initrd == nil ? 0 : base + Self.modulesOffset, X86LowMemory.commandLine, machine.rsdp,
                base + Self.mapOffset,
            ])
            + Self.bytes([UInt32(machine.map.count), 0])
    }
}
