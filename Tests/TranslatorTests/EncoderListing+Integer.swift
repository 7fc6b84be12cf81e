@testable import Translator

extension EncoderListing {
    /// `emit` for every register with every place.
    private mutating func each(
        _ name: String, wide: [Bool] = widths, _ emit: (inout Assembler, Register, Place, Bool) -> Void
    ) {
        for wide in wide {
            for register in Self.registers {
                for place in Self.places {
                    let bytes = wide ? 8 : 4
                    add("\(name) \(Self.name(register, bytes)), \(Self.name(place, bytes))") {
                        emit(&$0, register, place, wide)
                    }
                }
            }
        }
    }

    /// `emit` for every place alone; `operand` follows in the text.
    private mutating func each(
        _ name: String, then operand: String = "", _ emit: (inout Assembler, Place, Bool) -> Void
    ) {
        for wide in Self.widths {
            for place in Self.places {
                add("\(name) \(Self.name(place, wide ? 8 : 4))\(operand)") { emit(&$0, place, wide) }
            }
        }
    }

    mutating func addArithmetic() {
        let kinds: [(Arithmetic, String)] = [
            (.add, "add"), (.or, "or"), (.and, "and"), (.sub, "sub"), (.xor, "xor"), (.cmp, "cmp"),
        ]
        for (kind, name) in kinds {
            each(name) { $0.arithmetic(kind, $1, $2, wide: $3) }
            for wide in Self.widths {
                for register in Self.registers {
                    for place in Self.places {
                        let bytes = wide ? 8 : 4
                        add("\(name) \(Self.name(place, bytes)), \(Self.name(register, bytes))") {
                            $0.arithmetic(kind, to: place, register, wide: wide)
                        }
                    }
                }
            }
            for value: Int32 in [0, 1, -1, 127, -128, 128, -129, .max, .min] {
                each(name, then: ", \(value)") { $0.arithmetic(kind, $1, value, wide: $2) }
            }
        }
        for wide in Self.widths {
            for register in Self.registers {
                for other in Self.registers {
                    let bytes = wide ? 8 : 4
                    add("test \(Self.name(register, bytes)), \(Self.name(other, bytes))") {
                        $0.test(register, other, wide: wide)
                    }
                }
            }
        }
        let unary: [(Unary, String)] = [
            (.not, "not"), (.negate, "neg"), (.multiply, "mul"), (.multiplySigned, "imul"), (.divide, "div"),
            (.divideSigned, "idiv"),
        ]
        for (kind, name) in unary { each(name) { $0.unary(kind, $1, wide: $2) } }
        each("imul") { $0.multiply($1, $2, wide: $3) }
        for value: Int32 in [1, -1, 127, 128, .max, .min] {
            // The disassembler shows the two encodings of a small negative number of 32 bits differently.
            for wide in value == -1 ? [true] : Self.widths {
                for register in Self.registers {
                    for place in Self.places {
                        let bytes = wide ? 8 : 4
                        add("imul \(Self.name(register, bytes)), \(Self.name(place, bytes)), \(value)") {
                            $0.multiply(register, place, by: value, wide: wide)
                        }
                    }
                }
            }
        }
        add("cqo") { $0.signExtendAccumulator() }
        add("cdq") { $0.signExtendAccumulator(wide: false) }
    }

    mutating func addShifts() {
        let kinds: [(Shift, String)] = [
            (.rotateLeft, "rol"), (.rotateRight, "ror"), (.left, "shl"), (.right, "shr"), (.arithmeticRight, "sar"),
        ]
        for (kind, name) in kinds {
            for count: UInt8 in [2, 7, 31] {
                each(name, then: ", \(count)") { $0.shift(kind, $1, by: count, wide: $2) }
            }
            each(name, then: ", cl") { $0.shiftByCL(kind, $1, wide: $2) }
            add("\(name) r13, 63") { $0.shift(kind, .register(.r13), by: 63) }
        }
        for (kind, name) in kinds where [.left, .right, .arithmeticRight].contains(kind) {
            for count in Self.registers {
                for wide in Self.widths {
                    let bytes = wide ? 8 : 4
                    for register in Self.registers {
                        for place in [.register(count), .register(.rax), .register(.r9)] + Self.places.suffix(24) {
                            add(
                                "\(name)x \(Self.name(register, bytes)), \(Self.name(place, bytes)), "
                                    + Self.name(count, bytes)
                            ) { $0.shiftExtended(kind, register, place, by: count, wide: wide) }
                        }
                    }
                }
            }
        }
        for count: UInt8 in [1, 31] {
            for wide in Self.widths {
                for register in Self.registers {
                    for place in Self.places {
                        let bytes = wide ? 8 : 4
                        add("rorx \(Self.name(register, bytes)), \(Self.name(place, bytes)), \(count)") {
                            $0.rotateRight(register, place, by: count, wide: wide)
                        }
                    }
                }
            }
        }
    }

    mutating func addMoves() {
        for address in Self.allAddresses {
            add("mov rdx, qword ptr \(Self.name(address))") { $0.move(.rdx, .memory(address)) }
        }
        each("mov") { $0.move($1, $2, wide: $3) }
        for register in Self.registers {
            for source in Self.registers where source != register {
                add("mov \(Self.name(register, 8)), \(Self.name(source, 8))") { $0.copy(register, source) }
            }
            for address in Self.addresses {
                for bytes in [1, 2, 4, 8] {
                    add("mov \(Self.size(bytes))\(Self.name(address)), \(Self.name(register, bytes))") {
                        $0.store(address, register, bytes: bytes)
                    }
                }
                add("lea \(Self.name(register, 8)), \(Self.name(address))") { $0.loadAddress(register, address) }
                add("lea \(Self.name(register, 4)), \(Self.name(address))") {
                    $0.loadAddress(register, address, wide: false)
                }
            }
            for value: UInt64 in [0, 1, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF] {
                add("mov \(Self.name(register, 4)), \(value)") { $0.move(register, value: value) }
            }
            for value: Int64 in [-1, -0x8000_0000] {
                add("mov \(Self.name(register, 8)), \(value)") { $0.move(register, value: UInt64(bitPattern: value)) }
            }
            for value: UInt64 in [0x1_0000_0000, 0xFFFF_FFFF_7FFF_FFFF, 0x8000_0000_0000_0000, 0x1234_5678_9ABC_DEF0] {
                add("movabs \(Self.name(register, 8)), \(value)") { $0.move(register, value: value) }
            }
            for place in Self.places {
                let wide = Self.name(register, 8)
                let narrow = Self.name(register, 4)
                let lines: [(String, Int, Bool)] = [
                    ("movsx \(wide), \(Self.name(place, 1))", 1, true),
                    ("movzx \(narrow), \(Self.name(place, 1))", 1, false),
                    ("movsx \(wide), \(Self.name(place, 2))", 2, true),
                    ("movzx \(narrow), \(Self.name(place, 2))", 2, false),
                    ("movsxd \(wide), \(Self.name(place, 4))", 4, true),
                    ("mov \(narrow), \(Self.name(place, 4))", 4, false),
                    ("mov \(wide), \(Self.name(place, 8))", 8, true),
                    ("mov \(wide), \(Self.name(place, 8))", 8, false),
                ]
                for (text, bytes, signed) in lines {
                    add(text) { $0.extend(register, place, bytes: bytes, signed: signed) }
                }
            }
        }
        for address in Self.addresses {
            for value: Int32 in [0, -1, .max, .min] {
                add("mov qword ptr \(Self.name(address)), \(value)") { $0.store(address, value: value) }
            }
        }
        addConditionalMoves()
    }

    private mutating func addConditionalMoves() {
        for (condition, name) in Self.conditions {
            for register in Self.registers {
                add("set\(name) \(Self.name(register, 1))") { $0.set(condition, register) }
            }
            each("cmov\(name)", wide: [true]) { assembler, register, place, _ in
                assembler.moveIf(condition, register, place)
            }
        }
    }

    mutating func addBitsAndAtomics() {
        each("popcnt") { $0.countOnes($1, $2, wide: $3) }
        each("lzcnt") { $0.countLeadingZeros($1, $2, wide: $3) }
        each("tzcnt") { $0.countTrailingZeros($1, $2, wide: $3) }
        for register in Self.registers {
            add("bswap \(Self.name(register, 8))") { $0.swapBytes(register) }
            for address in Self.addresses {
                for wide in Self.widths {
                    let bytes = wide ? 8 : 4
                    let operands = "\(Self.size(bytes))\(Self.name(address)), \(Self.name(register, bytes))"
                    add("xchg \(operands)") { $0.exchange(address, register, wide: wide) }
                    add("lock xadd \(operands)") { $0.exchangeAdd(address, register, wide: wide) }
                    add("lock cmpxchg \(operands)") { $0.compareExchange(address, register, wide: wide) }
                }
            }
        }
        add("lock or dword ptr [rsp], 0") { $0.barrier() }
    }

    /// The other syntax knows the instruction's own address, and the long forms where short ones would do.
    private static func relative(_ text: String) -> String { ".att_syntax; \(text); .intel_syntax noprefix" }

    mutating func addControl() {
        for register in Self.registers {
            add("push \(Self.name(register, 8))") { $0.push(register) }
            add("pop \(Self.name(register, 8))") { $0.pop(register) }
            // The displacement counts from the instruction's end.
            add("lea \(Self.name(register, 8)), [rip + 93]") { $0.link($0.loadAddressOfPosition(register), to: 100) }
        }
        for place in Self.places {
            add("jmp \(Self.name(place, 8))") { $0.jump(place) }
            add("call \(Self.name(place, 8))") { $0.call(place) }
        }
        add("ret") { $0.ret() }
        // As relocations would be resolved: to a position of the code, wherever it lies.
        for target in [0, 5, 100, 1 << 20] {
            add(Self.relative("{disp32} jmp . + \(target)")) { $0.jump(to: target) }
            add(Self.relative("call . + \(target)")) { $0.call(target) }
            add(Self.relative("{disp32} jmp . + \(target)")) { $0.link($0.jump(), to: target) }
            add(Self.relative("call . + \(target)")) { $0.link($0.call(), to: target) }
            for (condition, name) in Self.conditions {
                add(Self.relative("{disp32} j\(name) . + \(target)")) { $0.jump(condition, to: target) }
                add(Self.relative("{disp32} j\(name) . + \(target)")) { $0.link($0.jump(condition), to: target) }
            }
        }
        add(Self.relative("{disp32} jmp . + 5")) {
            let site = $0.jump()
            $0.linkHere(site)
        }
    }
}
