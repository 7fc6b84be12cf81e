/// ACPI's byte code, as far as a table that describes devices needs it (ACPI 6.5, section 20.2).
package struct AML: Equatable, Sendable {
    package var bytes: [UInt8]

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    // MARK: Data

    package static func integer(_ value: UInt64) -> AML {
        switch value {
        case 0...1: AML([UInt8(value)])
        case ...0xFF: AML([0x0A, UInt8(value)])
        case ...0xFFFF: AML([0x0B] + littleEndian(UInt16(value)))
        case ...0xFFFF_FFFF: AML([0x0C] + littleEndian(UInt32(value)))
        default: AML([0x0E] + littleEndian(value))
        }
    }

    package static func text(_ value: String) -> AML { AML([0x0D] + Array(value.utf8) + [0]) }

    /// An identifier of the EISA form, three capital letters and four hexadecimal digits (section 19.3.4).
    package static func identifier(_ value: String) -> AML {
        let characters = Array(value.utf8)
        let digits = UInt16(String(decoding: characters.dropFirst(3), as: UTF8.self), radix: 16)
        precondition(characters.count == 7 && digits != nil, "\(value) is not an EISA identifier")
        let letters = characters[..<3].reduce(UInt16(0)) { $0 << 5 | UInt16($1 &- 0x40) & 0x1F }
        return AML([0x0C] + littleEndian(letters.byteSwapped) + littleEndian(digits!.byteSwapped))
    }

    package static func package(_ elements: [AML]) -> AML {
        AML([0x12] + sized([UInt8(elements.count)] + elements.flatMap(\.bytes)))
    }

    /// What a device uses: descriptors and their end (section 6.4).
    package static func resources(_ descriptors: [AMLResource]) -> AML {
        let bytes = descriptors.flatMap(\.bytes) + [0x79, 0]
        return AML([0x11] + sized(integer(UInt64(bytes.count)).bytes + bytes))
    }

    // MARK: Objects

    package static func name(_ name: String, _ value: AML) -> AML { AML([0x08] + path(name) + value.bytes) }

    package static func scope(_ name: String, _ content: [AML]) -> AML {
        AML([0x10] + sized(path(name) + content.flatMap(\.bytes)))
    }

    package static func device(_ name: String, _ content: [AML]) -> AML {
        AML([0x5B, 0x82] + sized(path(name) + content.flatMap(\.bytes)))
    }

    /// The method _OSC of a PCI host bridge (ACPI 6.5, section 6.2.11): of what the operating system asks for, it grants control of these
    /// features.
    ///
    ///     Method (_OSC, 4) { CreateDWordField (Arg3, 8, CTRL)  CTRL &= features  Return (Arg3) }
    package static func grantsPCIControl(_ features: UInt8) -> AML {
        let control = path("CTRL")
        let capabilities: UInt8 = 0x6B
        let field = [0x8A, capabilities] + integer(8).bytes + control
        let mask = [0x7B] + control + integer(UInt64(features)).bytes + control
        return AML([0x14] + sized(path("_OSC") + [4] + field + mask + [0xA4, capabilities]))
    }

    /// The method _EVT of a generic event device with one interrupt (ACPI 6.5, section 5.6.9.2): it notifies another device of its scope.
    ///
    ///     Method (_EVT, 1, Serialized) { Notify (device, value) }
    package static func eventMethod(notifying device: String, _ value: UInt8) -> AML {
        let notify = [0x86] + path(device) + integer(UInt64(value)).bytes
        return AML([0x14] + sized(path("_EVT") + [1 << 3 | 1] + notify))
    }

    /// A name of one to four characters, with underscores to fill it up; `\` before it means the root.
    private static func path(_ name: String) -> [UInt8] {
        let bytes = Array(name.utf8)
        let root = bytes.prefix { $0 == UInt8(ascii: "\\") }
        let segment = bytes.dropFirst(root.count)
        precondition(root.count < 2 && (1...4).contains(segment.count), "\(name) is not an ACPI name")
        return root + segment + [UInt8](repeating: UInt8(ascii: "_"), count: 4 - segment.count)
    }

    /// A length, which counts itself, and what follows: one byte up to 63, else the low four bits and further bytes.
    private static func sized(_ content: [UInt8]) -> [UInt8] {
        if content.count + 1 <= 0x3F { return [UInt8(content.count + 1)] + content }
        var extra = 1
        while content.count + 1 + extra >= 1 << (4 + 8 * extra) { extra += 1 }
        let length = content.count + 1 + extra
        return [UInt8(extra << 6 | length & 0xF)]
            + (0..<extra).map { UInt8(truncatingIfNeeded: length >> (4 + 8 * $0)) }
            + content
    }

    static func littleEndian(_ value: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }
}

/// A resource of a device (ACPI 6.5, section 6.4).
package struct AMLResource: Equatable, Sendable {
    let bytes: [UInt8]

    /// `count` I/O ports from `base` on, decoded with 16 bits.
    package static func ports(_ base: UInt16, count: UInt8) -> AMLResource {
        let address = AML.littleEndian(base)
        return AMLResource(bytes: [0x47, 1] + address + address + [1, count])
    }

    /// An interrupt that the device alone uses: edge-triggered, active high.
    package static func interrupt(_ number: UInt32) -> AMLResource {
        AMLResource(bytes: [0x89, 6, 0, 0x03, 1] + AML.littleEndian(number))
    }

    /// Memory that nothing moves.
    package static func memory(_ base: UInt32, size: UInt32) -> AMLResource {
        AMLResource(bytes: [0x86, 9, 0, 1] + AML.littleEndian(base) + AML.littleEndian(size))
    }

    /// The buses behind a bridge.
    package static func buses(_ range: ClosedRange<UInt16>) -> AMLResource {
        AMLResource(
            bytes: [0x88, 13, 0, 2, 0x0C, 0]
                + [0, range.lowerBound, range.upperBound, 0, UInt16(range.count)].flatMap(AML.littleEndian))
    }

    /// Addresses that a bridge passes on to memory registers of its devices; not cacheable, writable.
    package static func window(_ base: UInt32, size: UInt32) -> AMLResource {
        AMLResource(
            bytes: [0x87, 23, 0, 0, 0x0C, 1] + [0, base, base + (size - 1), 0, size].flatMap(AML.littleEndian))
    }

    /// The same above 4 GiB, for prefetchable registers.
    package static func highWindow(_ base: UInt64, size: UInt64) -> AMLResource {
        AMLResource(
            bytes: [0x8A, 43, 0, 0, 0x0C, 0x07] + [0, base, base + (size - 1), 0, size].flatMap(AML.littleEndian))
    }
}
