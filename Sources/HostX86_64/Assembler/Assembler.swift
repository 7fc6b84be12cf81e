/// Encodes x86-64 instructions into memory (Intel SDM, volume 2, chapter 2).
///
/// Positions are offsets from `base`; branches are relative, so the code may be mapped elsewhere for execution.
package struct Assembler {
    /// Where the code is written, which is not where it executes.
    package let base: UnsafeMutablePointer<UInt8>
    /// Where the next byte goes.
    package var position: Int

    package init(base: UnsafeMutableRawPointer, position: Int = 0) {
        self.base = base.assumingMemoryBound(to: UInt8.self)
        self.position = position
    }

    // MARK: Bytes

    @inline(__always)
    package mutating func byte(_ value: UInt8) {
        base[position] = value
        position += 1
    }

    @inline(__always)
    package mutating func word32(_ value: UInt32) {
        UnsafeMutableRawPointer(base + position).storeBytes(of: value, as: UInt32.self)
        position += 4
    }

    @inline(__always)
    package mutating func word64(_ value: UInt64) {
        UnsafeMutableRawPointer(base + position).storeBytes(of: value, as: UInt64.self)
        position += 8
    }

    /// Pads with INT3, which nothing executes.
    package mutating func align(to alignment: Int) {
        while position % alignment != 0 { byte(0xCC) }
    }

    // MARK: Operands

    /// Writes prefixes, opcode and operands. `opcode` holds the bytes after REX, first byte lowest.
    ///
    /// `trailing` is the number of immediate bytes that follow.
    mutating func encode(
        prefix: UInt8 = 0, _ opcode: UInt32, _ register: UInt8, _ place: Place, wide: Bool, byteRegister: Bool = false
    ) {
        if prefix != 0 { byte(prefix) }
        var rex: UInt8 = wide ? 0x48 : 0x40
        if register >= 8 { rex |= 4 }
        switch place {
        case .register(let operand): if operand.rawValue >= 8 { rex |= 1 }
        case .memory(let address):
            if address.base.rawValue >= 8 { rex |= 1 }
            if let index = address.index, index.rawValue >= 8 { rex |= 2 }
        }
        // Without REX the byte registers 4 to 7 would be ah, ch, dh and bh.
        var needed = rex != 0x40
        if byteRegister {
            if register >= 4 { needed = true }
            if case .register(let operand) = place, operand.rawValue >= 4 { needed = true }
        }
        if needed { byte(rex) }
        var rest = opcode
        repeat {
            byte(UInt8(truncatingIfNeeded: rest))
            rest >>= 8
        } while rest != 0
        operands(register, place)
    }

    /// ModRM, SIB and displacement.
    mutating func operands(_ register: UInt8, _ place: Place) {
        let field = (register & 7) << 3
        switch place {
        case .register(let operand): byte(0xC0 | field | operand.rawValue & 7)
        case .memory(let address):
            let low = address.base.rawValue & 7
            // rbp and r13 as a base always have a displacement; rsp and r12 always have a SIB byte.
            let mode: UInt8 =
                address.displacement == 0 && low != 5
                ? 0
                : Int32(Int8(truncatingIfNeeded: address.displacement))
                    == address.displacement ? 0x40 : 0x80
            if let index = address.index {
                byte(mode | field | 4)
                byte(address.scale << 6 | (index.rawValue & 7) << 3 | low)
            } else if low == 4 {
                byte(mode | field | 4)
                byte(0x24)
            } else {
                byte(mode | field | low)
            }
            if mode == 0x40 { byte(UInt8(truncatingIfNeeded: address.displacement)) }
            if mode == 0x80 { word32(UInt32(bitPattern: address.displacement)) }
        }
    }

    /// A three-byte VEX prefix with opcode and operands: `map` 1 is 0F, 2 is 0F38, 3 is 0F3A; `prefix` 0 none, 1 66,
    /// 2 F3, 3 F2. `second` is the operand in vvvv.
    mutating func encodeVEX(
        map: UInt8, prefix: UInt8, _ opcode: UInt8, _ register: UInt8, _ second: UInt8, _ place: Place, wide: Bool
    ) {
        var inverted: UInt8 = 0xE0
        if register >= 8 { inverted &= ~0x80 }
        switch place {
        case .register(let operand): if operand.rawValue >= 8 { inverted &= ~0x20 }
        case .memory(let address):
            if address.base.rawValue >= 8 { inverted &= ~0x20 }
            if let index = address.index, index.rawValue >= 8 { inverted &= ~0x40 }
        }
        byte(0xC4)
        byte(inverted | map)
        byte((wide ? 0x80 : 0) | (~second & 15) << 3 | prefix)
        byte(opcode)
        operands(register, place)
    }
}
