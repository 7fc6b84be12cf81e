import Translator

@testable import HostX86_64

extension EncoderListing {
    private static let formats: [(FloatFormat, String)] = [(.double, "d"), (.single, "s")]

    mutating func addFloating() {
        for (format, letter) in Self.formats {
            for vector in Self.vectors {
                for place in Self.vectorPlaces { addOperations(format, letter, vector, place) }
                for address in Self.addresses {
                    let memory = Self.name(VectorPlace.memory(address), format)
                    add("movs\(letter) \(vector), \(memory)") { $0.loadFloat(format, vector, .memory(address)) }
                    add("movs\(letter) \(memory), \(vector)") { $0.storeFloat(format, address, vector) }
                }
                add("ucomis\(letter) \(vector), \(vector)") { $0.testNaN(format, vector) }
                for other in Self.vectors where other != vector {
                    add("movaps \(vector), \(other)") { $0.loadFloat(format, vector, .vector(other)) }
                }
                addIntegerConversions(format, letter, vector)
                addFused(format, letter, vector)
            }
        }
    }

    private mutating func addOperations(
        _ format: FloatFormat, _ letter: String, _ vector: Vector, _ place: VectorPlace
    ) {
        let operands = "\(vector), \(Self.name(place, format))"
        let kinds: [(VectorArithmetic, String)] = [
            (.squareRoot, "sqrt"), (.add, "add"), (.multiply, "mul"), (.subtract, "sub"), (.divide, "div"),
        ]
        for (kind, name) in kinds {
            add("\(name)s\(letter) \(operands)") { $0.arithmetic(kind, format, vector, place) }
        }
        add("ucomis\(letter) \(operands)") { $0.compareFloat(format, vector, place, signaling: false) }
        add("comis\(letter) \(operands)") { $0.compareFloat(format, vector, place, signaling: true) }
        add("\(format == .double ? "cvtsd2ss" : "cvtss2sd") \(operands)") {
            $0.convertFloat(from: format, vector, place)
        }
        for register in [.rax, .rsp, .rdi, .r8, .r13, .r15] as [Register] {
            for wide in Self.widths {
                let operands = "\(Self.name(register, wide ? 8 : 4)), \(Self.name(place, format))"
                add("cvtts\(letter)2si \(operands)") {
                    $0.convertToInteger(format, register, place, wide: wide, truncating: true)
                }
                add("cvts\(letter)2si \(operands)") {
                    $0.convertToInteger(format, register, place, wide: wide, truncating: false)
                }
            }
        }
    }

    private mutating func addIntegerConversions(_ format: FloatFormat, _ letter: String, _ vector: Vector) {
        for place in Self.places {
            for wide in Self.widths {
                add("cvtsi2s\(letter) \(vector), \(Self.name(place, wide ? 8 : 4))") {
                    $0.convertFromInteger(format, vector, place, wide: wide)
                }
            }
        }
    }

    private mutating func addFused(_ format: FloatFormat, _ letter: String, _ vector: Vector) {
        let kinds: [(FloatFused, String)] = [
            (.multiplyAdd, "vfmadd"), (.multiplySubtract, "vfmsub"), (.negatedMultiplyAdd, "vfnmadd"),
            (.negatedMultiplySubtract, "vfnmsub"),
        ]
        for (kind, name) in kinds {
            for second in Self.vectors {
                for place in [.vector(.xmm2), .vector(.xmm13)] + Self.vectorPlaces.suffix(12) {
                    add("\(name)213s\(letter) \(vector), \(second), \(Self.name(place, format))") {
                        $0.multiplyAdd(kind, format, vector, second, place)
                    }
                }
            }
            for place in Self.vectorPlaces {
                add("\(name)213s\(letter) \(vector), xmm9, \(Self.name(place, format))") {
                    $0.multiplyAdd(kind, format, vector, .xmm9, place)
                }
            }
        }
    }

    mutating func addVectorMoves() {
        for vector in Self.vectors {
            for other in Self.vectors {
                if vector != other { add("movaps \(vector), \(other)") { $0.copy(vector, other) } }
                add("xorps \(vector), \(other)") { $0.xor(vector, other) }
            }
            add("xorps \(vector), \(vector)") { $0.clear(vector) }
            for register in Self.registers {
                add("movq \(vector), \(Self.name(register, 8))") { $0.move(vector, from: register) }
            }
            for place in Self.places {
                // MOVQ to memory has another encoding, which the assembler prefers.
                if case .register = place {
                    add("movq \(Self.name(place, 8)), \(vector)") { $0.move(place, from: vector) }
                }
                add("movd \(Self.name(place, 4)), \(vector)") { $0.move(place, from: vector, wide: false) }
            }
            // A constant at a position; the displacement counts from the instruction's end.
            let end = vector.rawValue >= 8 ? 8 : 7
            add("andps \(vector), xmmword ptr [rip + \(160 - end)]") { $0.and(vector, position: 160) }
            add("orps \(vector), xmmword ptr [rip + \(160 - end)]") { $0.or(vector, position: 160) }
            add("xorps \(vector), xmmword ptr [rip + \(160 - end)]") { $0.xor(vector, position: 160) }
        }
        for address in Self.addresses {
            add("stmxcsr dword ptr \(Self.name(address))") { $0.storeControl(address) }
            // The 64-bit store by its generic name.
            add("movq qword ptr \(Self.name(address)), xmm11") { $0.move(.memory(address), from: .xmm11) }
        }
        add("ldmxcsr dword ptr [rip + 93]") { $0.loadControl(position: 100) }
    }
}
