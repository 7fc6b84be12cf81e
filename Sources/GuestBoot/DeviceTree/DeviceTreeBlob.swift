// The flattened form (DeviceTree Specification 0.4, chapter 5), big endian. It begins with a header:
//
//     offset  field               offset  field
//          0  magic 0xd00dfeed        20  version, 17
//          4  size of it all          24  last compatible version, 16
//          8  offset of structure     28  boot processor
//         12  offset of strings       32  size of strings
//         16  offset of reservations  36  size of structure
//
// Reservations are pairs of 64-bit address and size, ended by a pair of zeros. The structure is a sequence of 32-bit
// tokens: a node is 1, its name padded to 4 bytes, its properties and children, 2. A property is 3, its value's size,
// the offset of its name among the strings, and the value padded to 4 bytes. 4 means nothing, 9 is the end.

private let magic: UInt32 = 0xD00D_FEED
private let headerSize = 40
private let version: UInt32 = 17
private let compatibleVersion: UInt32 = 16
private let depthLimit = 64

private enum Token {
    static let beginNode: UInt32 = 1
    static let endNode: UInt32 = 2
    static let property: UInt32 = 3
    static let nothing: UInt32 = 4
    static let end: UInt32 = 9
}

extension DeviceTree {
    /// The largest blob that is decoded, in bytes; Linux takes 2 MiB.
    package static let blobLimit = 2 << 20

    /// The flattened form.
    ///
    /// - Parameter room: bytes without use at its end, which are part of its size.
    package func encoded(room: Int = 0) -> [UInt8] {
        var structure = StructureEncoder()
        structure.append(root)
        structure.append(Token.end)
        var reserved: [UInt8] = []
        for reservation in reservations + [Reservation(address: 0, size: 0)] {
            reserved += bigEndianBytes(reservation.address) + bigEndianBytes(reservation.size)
        }
        // The header is a multiple of 8 bytes, as the reservations' alignment wants, and these of 4 for the structure.
        let structureOffset = headerSize + reserved.count
        let stringsOffset = structureOffset + structure.output.count
        let header: [UInt32] = [
            magic, UInt32(stringsOffset + structure.strings.count + room), UInt32(structureOffset),
            UInt32(stringsOffset),
            UInt32(headerSize), version, compatibleVersion, bootProcessor, UInt32(structure.strings.count),
            UInt32(structure.output.count),
        ]
        return header.flatMap { bigEndianBytes($0) } + reserved + structure.output + structure.strings
            + [UInt8](repeating: 0, count: room)
    }

    /// Decodes a flattened device tree, for example one that a user gives.
    ///
    /// - Parameter item: what messages call it.
    package init(blob: [UInt8], item: BootItem = BootItem(.deviceTree)) throws(BootError) {
        guard !blob.isEmpty else { throw .empty(item) }
        guard blob.bigEndian(at: 0) == magic else { throw .corrupt(item, reason: "it is not a flattened device tree") }
        guard blob.count >= headerSize else {
            throw .truncated(item, needed: UInt64(headerSize), found: UInt64(blob.count))
        }
        func field(_ index: Int) -> UInt32 { blob.bigEndian(at: 4 * index) ?? 0 }
        guard field(1) <= UInt32(Self.blobLimit) else {
            throw .corrupt(item, reason: "\(field(1)) bytes are more than the \(Self.blobLimit) allowed")
        }
        guard blob.count >= field(1) else {
            throw .truncated(item, needed: UInt64(field(1)), found: UInt64(blob.count))
        }
        guard field(5) >= compatibleVersion, field(6) <= version else {
            throw .corrupt(item, reason: "version \(field(5)), compatible with \(field(6)); 17 is known")
        }
        let total = Int(field(1))
        let structureSize = field(5) >= 17 ? Int(field(9)) : total - min(total, Int(field(2)))
        var decoder = StructureDecoder(
            item: item, blob: Array(blob[..<total]), position: Int(field(2)), end: Int(field(2)) + structureSize,
            strings: Int(field(3)), stringsEnd: Int(field(3)) + Int(field(8)))
        guard decoder.end <= total, decoder.stringsEnd <= total, decoder.position % 4 == 0 else {
            throw .corrupt(item, reason: "its blocks lie outside of its \(total) bytes")
        }
        self.init(root: try decoder.root())
        reservations = try Self.reservations(decoder.blob, at: Int(field(4)), item: item)
        bootProcessor = field(7)
        reservePhandles(below: root)
    }

    private static func reservations(
        _ blob: [UInt8], at start: Int, item: BootItem
    ) throws(BootError) -> [Reservation] {
        var result: [Reservation] = []
        var offset = start
        while true {
            guard let address: UInt64 = blob.bigEndian(at: offset), let size: UInt64 = blob.bigEndian(at: offset + 8)
            else { throw .corrupt(item, reason: "its memory reservations have no end") }
            if address == 0 && size == 0 { return result }
            result.append(Reservation(address: address, size: size))
            offset += 16
        }
    }
}

private struct StructureEncoder {
    var output: [UInt8] = []
    var strings: [UInt8] = []
    private var offsets: [String: UInt32] = [:]

    mutating func append(_ value: UInt32) { output += bigEndianBytes(value) }

    mutating func append(_ node: DeviceTree.Node) {
        append(Token.beginNode)
        appendPadded(Array(node.name.utf8) + [0])
        for property in node.properties {
            append(Token.property)
            append(UInt32(property.value.count))
            append(offset(of: property.name))
            appendPadded(property.value)
        }
        for child in node.children { append(child) }
        append(Token.endNode)
    }

    private mutating func appendPadded(_ bytes: [UInt8]) {
        output += bytes
        output += [UInt8](repeating: 0, count: -bytes.count & 3)
    }

    /// Every name is stored once.
    private mutating func offset(of name: String) -> UInt32 {
        if let offset = offsets[name] { return offset }
        let offset = UInt32(strings.count)
        offsets[name] = offset
        strings += Array(name.utf8) + [0]
        return offset
    }
}

private struct StructureDecoder {
    let item: BootItem
    let blob: [UInt8]
    var position: Int
    let end: Int
    let strings: Int
    let stringsEnd: Int

    mutating func root() throws(BootError) -> DeviceTree.Node {
        guard try token() == Token.beginNode else { throw malformed("no root node") }
        let root = try node(depth: 0)
        guard try token() == Token.end else { throw malformed("more than one root node") }
        return root
    }

    /// The node whose first token was read.
    private mutating func node(depth: Int) throws(BootError) -> DeviceTree.Node {
        guard depth < depthLimit else { throw malformed("nodes nest too deep") }
        var node = DeviceTree.Node(try text(from: position, limit: end))
        position = min((position + node.name.utf8.count + 4) & ~3, end)
        var names: Set<String> = []
        while true {
            switch try token() {
            case Token.beginNode: node.add(try self.node(depth: depth + 1))
            case Token.property:
                let count = Int(try cell())
                let offset = Int(try cell())
                guard count <= end - position, offset < stringsEnd - strings else { throw malformed("a bad property") }
                let name = try text(from: strings + offset, limit: stringsEnd)
                guard !name.isEmpty, names.insert(name).inserted else { throw malformed("a property twice") }
                node.add(DeviceTree.Property(name: name, value: Array(blob[position..<position + count])))
                position = min((position + count + 3) & ~3, end)
            case Token.endNode: return node
            case let other: throw malformed("token \(other) in a node")
            }
        }
    }

    /// The next token that means something.
    private mutating func token() throws(BootError) -> UInt32 {
        while true {
            let token = try cell()
            if token != Token.nothing { return token }
        }
    }

    private mutating func cell() throws(BootError) -> UInt32 {
        guard position <= end - 4, let value: UInt32 = blob.bigEndian(at: position) else {
            throw malformed("the structure ends early")
        }
        position += 4
        return value
    }

    private func text(from start: Int, limit: Int) throws(BootError) -> String {
        guard start < limit, let length = blob[start..<limit].firstIndex(of: 0).map({ $0 - start }),
            let text = String(validating: blob[start..<start + length], as: UTF8.self)
        else { throw malformed("a name without an end") }
        return text
    }

    private func malformed(_ reason: String) -> BootError {
        .corrupt(item, reason: "\(reason), at offset \(hexadecimal(position))")
    }
}
