internal import GuestBoot

/// The symbol table of a kernel module (System V ABI, chapter 4, "Object Files"), without the compiler's own labels.
///
/// On RISC-V the assembler keeps every label whose distance the linker might change: ext4 has 213,000 of them, five of its seven megabytes. The
/// kernel goes through the table four times when it loads the module, and keeps the names for its list of symbols. Relocations name
/// some of the labels: those stay, without their names, which nothing reads.
struct ModuleSymbols {
    private static let (headerSize, sectionSize, symbolSize, relocationSize) = (64, 64, 24, 24)
    private static let (symbolTable, relocations, empty): (UInt32, UInt32, UInt32) = (2, 4, 8)
    /// Relocations without addends, groups, and tables of section numbers: they name symbols in other ways, and no module has them.
    private static let unknown: Set<UInt32> = [9, 17, 18]

    /// A section's header and its contents.
    private struct Section {
        var header: [UInt8]
        var data: [UInt8]

        func field<Integer: FixedWidthInteger & BitwiseCopyable>(_ offset: Int, as type: Integer.Type) -> Integer {
            header.littleEndian(at: offset) ?? 0
        }

        var type: UInt32 { field(4, as: UInt32.self) }
        var link: Int { Int(field(40, as: UInt32.self)) }
    }

    private let header: [UInt8]
    private var sections: [Section]

    /// The module without those labels; unchanged when it is no relocatable file for 64-bit little-endian processors, or none that makes sense.
    static func reduced(_ module: [UInt8]) -> [UInt8] {
        guard var symbols = ModuleSymbols(module), symbols.reduce() else { return module }
        return symbols.file
    }

    private init?(_ module: [UInt8]) {
        // ELFCLASS64, ELFDATA2LSB; ET_REL.
        guard module.has([0x7F, 0x45, 0x4C, 0x46, 2, 1], at: 0), module.littleEndian(at: 16) == UInt16(1),
            let table: UInt64 = module.littleEndian(at: 40), module.littleEndian(at: 58) == UInt16(Self.sectionSize),
            let count: UInt16 = module.littleEndian(at: 60), count > 0, table <= module.count,
            module.count - Int(table) >= Int(count) * Self.sectionSize
        else { return nil }
        header = Array(module[..<Self.headerSize])
        sections = []
        for index in 0..<Int(count) {
            let start = Int(table) + index * Self.sectionSize
            var section = Section(header: Array(module[start..<start + Self.sectionSize]), data: [])
            let (offset, size) = (section.field(24, as: UInt64.self), section.field(32, as: UInt64.self))
            if section.type != 0, section.type != Self.empty {
                guard offset <= module.count, size <= module.count - Int(offset) else { return nil }
                section.data = Array(module[Int(offset)..<Int(offset + size)])
            }
            sections.append(section)
        }
    }

    // MARK: Symbols

    /// Removes the labels. False when the file has what this code does not know.
    private mutating func reduce() -> Bool {
        guard let place = sections.firstIndex(where: { $0.type == Self.symbolTable }),
            sections.count(where: { $0.type == Self.symbolTable }) == 1,
            !sections.contains(where: { Self.unknown.contains($0.type) }),
            sections.indices.contains(sections[place].link), sections[place].data.count % Self.symbolSize == 0,
            let used = usedSymbols(of: place)
        else { return false }
        let table = sections[place].data
        let names = sections[sections[place].link].data
        var (numbers, newTable, newNames) = ([Int](), [UInt8](), [UInt8]([0]))
        var locals = 0
        let keepsNames = sharesNames(of: place)
        for index in 0..<table.count / Self.symbolSize {
            let start = index * Self.symbolSize
            guard let name: UInt32 = table.littleEndian(at: start), name < max(names.count, 1) else { return false }
            let isLabel = Self.isLabel(table, start, name: Int(name), names)
            if isLabel, !used[index] {
                numbers.append(0)
                continue
            }
            numbers.append(newTable.count / Self.symbolSize)
            if table[start + 4] >> 4 == 0 { locals += 1 }
            var newName = 0
            if keepsNames {
                newName = isLabel ? 0 : Int(name)
            } else if !isLabel, name != 0 {
                newName = newNames.count
                newNames += names[Int(name)...].prefix { $0 != 0 } + [0]
            }
            newTable += Self.bytes(UInt32(newName)) + table[(start + 4)..<(start + Self.symbolSize)]
        }
        renumber(symbolsOf: place, numbers)
        if !keepsNames { sections[sections[place].link].data = newNames }
        sections[place].data = newTable
        // sh_info: the first symbol that is not local.
        sections[place].header.replaceSubrange(44..<48, with: Self.bytes(UInt32(locals)))
        return true
    }

    /// Whether a symbol is local, of no type, and named `.L…`.
    private static func isLabel(_ table: [UInt8], _ start: Int, name: Int, _ names: [UInt8]) -> Bool {
        table[start + 4] == 0 && names.has([0x2E, 0x4C], at: name)
    }

    /// Whether the symbols' string table is that of the sections, too: a compiler's choice.
    private func sharesNames(of place: Int) -> Bool {
        let names = sections[place].link
        return names == Int(header.littleEndian(at: 62, as: UInt16.self) ?? 0)
            || sections.indices.contains { $0 != place && sections[$0].type != 0 && sections[$0].link == names }
    }

    /// Which symbols relocations name; nil when one names a symbol that is not there.
    private func usedSymbols(of place: Int) -> [Bool]? {
        var used = [Bool](repeating: false, count: sections[place].data.count / Self.symbolSize)
        for section in sections where section.type == Self.relocations {
            guard section.link == place, section.data.count % Self.relocationSize == 0 else { return nil }
            for start in stride(from: 0, to: section.data.count, by: Self.relocationSize) {
                guard let symbol: UInt32 = section.data.littleEndian(at: start + 12), symbol < used.count else {
                    return nil
                }
                used[Int(symbol)] = true
            }
        }
        return used
    }

    /// Gives the relocations the symbols' new numbers.
    private mutating func renumber(symbolsOf place: Int, _ numbers: [Int]) {
        for index in sections.indices where sections[index].type == Self.relocations {
            for start in stride(from: 0, to: sections[index].data.count, by: Self.relocationSize) {
                let symbol: UInt32 = sections[index].data.littleEndian(at: start + 12) ?? 0
                sections[index].data.replaceSubrange(
                    (start + 12)..<(start + 16), with: Self.bytes(UInt32(numbers[Int(symbol)])))
            }
        }
    }

    private static func bytes<Integer: FixedWidthInteger>(_ value: Integer) -> [UInt8] {
        withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }

    // MARK: The file

    /// Header, sections in their order, and the table of sections.
    private var file: [UInt8] {
        var result = header
        var table: [UInt8] = []
        func align(_ alignment: UInt64) {
            // The alignment of a section that makes sense is a power of two up to a page.
            let size = Int(min(max(alignment, 1), 4096))
            result.append(contentsOf: repeatElement(0, count: (size - result.count % size) % size))
        }
        for section in sections {
            var header = section.header
            if section.type != 0, section.type != Self.empty {
                align(section.field(48, as: UInt64.self))
                header.replaceSubrange(24..<32, with: Self.bytes(UInt64(result.count)))
                header.replaceSubrange(32..<40, with: Self.bytes(UInt64(section.data.count)))
                result += section.data
            }
            table += header
        }
        align(8)
        result.replaceSubrange(40..<48, with: Self.bytes(UInt64(result.count)))
        return result + table
    }
}
