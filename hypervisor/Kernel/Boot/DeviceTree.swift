import Support

/// A flattened device tree, read in place (Devicetree Specification 0.4, chapter 5). Firmware wrote it; offsets are
/// checked all the same, because a damaged tree must not send the walk anywhere.
struct DeviceTree {
    let base: UnsafeRawPointer
    let size: Int
    private let structure: Int
    private let strings: Int

    init?(at address: UInt) {
        guard address & 7 == 0, let base = UnsafeRawPointer(bitPattern: address),
            UInt32(bigEndian: base.load(as: UInt32.self)) == 0xd00d_feed
        else { return nil }
        self.base = base
        size = Int(UInt32(bigEndian: base.load(fromByteOffset: 4, as: UInt32.self)))
        structure = Int(UInt32(bigEndian: base.load(fromByteOffset: 8, as: UInt32.self)))
        strings = Int(UInt32(bigEndian: base.load(fromByteOffset: 12, as: UInt32.self)))
        guard size <= 1 << 20, structure < size, strings < size else { return nil }
    }

    /// Big-endian word at an offset; 0 outside the tree.
    func word(_ offset: Int) -> UInt32 {
        guard offset >= 0, offset + 4 <= size else { return 0 }
        return UInt32(bigEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    func byte(_ offset: Int) -> UInt8 {
        offset >= 0 && offset < size ? base.load(fromByteOffset: offset, as: UInt8.self) : 0
    }

    /// Whether the text at `offset` begins with `text`.
    func hasPrefix(_ text: StaticString, at offset: Int) -> Bool {
        for index in 0..<text.utf8CodeUnitCount where byte(offset + index) != text.utf8Start[index] { return false }
        return true
    }

    /// Whether the text at `offset`, up to its zero, is `text`.
    func equals(_ text: StaticString, at offset: Int) -> Bool {
        hasPrefix(text, at: offset) && byte(offset + text.utf8CodeUnitCount) == 0
    }

    /// Ranges of the memory reservation block.
    func forEachReservation(_ body: (UInt64, UInt64) -> Void) {
        var offset = Int(word(16))
        while offset + 16 <= size {
            let address = UInt64(word(offset)) << 32 | UInt64(word(offset + 4))
            let length = UInt64(word(offset + 8)) << 32 | UInt64(word(offset + 12))
            if length == 0 { return }
            body(address, length)
            offset += 16
        }
    }

    /// Visits each node in the order of the tree, parents first.
    func forEachNode(_ body: (Node) -> Void) {
        // Per depth, the cells that the node gives its children.
        var addressCells = InlineArray<12, Int>(repeating: 2)
        var sizeCells = InlineArray<12, Int>(repeating: 1)
        var depth = -1
        var offset = structure
        while offset + 4 <= size {
            let token = word(offset)
            offset += 4
            switch token {
            case 1:
                depth += 1
                guard depth < 11 else { return }
                let name = offset
                while offset < size, byte(offset) != 0 { offset += 1 }
                offset = (offset + 4) & ~3
                var node = Node(tree: self, name: name, properties: offset, depth: depth)
                if depth > 0 { (node.addressCells, node.sizeCells) = (addressCells[depth - 1], sizeCells[depth - 1]) }
                addressCells[depth] = Int(node.word("#address-cells") ?? 2)
                sizeCells[depth] = Int(node.word("#size-cells") ?? 1)
                body(node)
            case 2:
                depth -= 1
                if depth < 0 { return }
            case 3: offset = (offset + 8 + Int(word(offset)) + 3) & ~3
            case 4: continue
            default: return
            }
        }
    }

    /// A node, by the place of its properties.
    struct Node {
        let tree: DeviceTree
        let name: Int
        let properties: Int
        let depth: Int
        var addressCells = 2
        var sizeCells = 1

        /// Offset and length of a property's value.
        func property(_ name: StaticString) -> (offset: Int, length: Int)? {
            var offset = properties
            while true {
                let token = tree.word(offset)
                if token == 4 {
                    offset += 4
                    continue
                }
                guard token == 3 else { return nil }
                let length = Int(tree.word(offset + 4))
                guard length <= tree.size else { return nil }
                if tree.equals(name, at: tree.strings + Int(tree.word(offset + 8))) { return (offset + 12, length) }
                offset = (offset + 12 + length + 3) & ~3
            }
        }

        func word(_ name: StaticString) -> UInt32? {
            guard let (offset, length) = property(name), length >= 4 else { return nil }
            return tree.word(offset)
        }

        /// Whether one of the strings of `compatible` (or of another list) is `text`.
        func lists(_ text: StaticString, in name: StaticString = "compatible") -> Bool {
            guard let (start, length) = property(name) else { return false }
            var offset = start
            while offset < start + length {
                if tree.equals(text, at: offset) { return true }
                while tree.byte(offset) != 0 { offset += 1 }
                offset += 1
            }
            return false
        }

        /// The range of `reg` with number `index`.
        func range(_ index: Int = 0) -> (address: UInt64, size: UInt64)? {
            guard let (offset, length) = property("reg"), addressCells <= 2, sizeCells <= 2 else { return nil }
            let stride = 4 * (addressCells + sizeCells)
            guard stride > 0, (index + 1) * stride <= length else { return nil }
            var place = offset + index * stride
            func number(_ cells: Int) -> UInt64 {
                var value: UInt64 = 0
                for _ in 0..<cells {
                    value = value << 32 | UInt64(tree.word(place))
                    place += 4
                }
                return value
            }
            let address = number(addressCells)
            return (address, number(sizeCells))
        }
    }
}
