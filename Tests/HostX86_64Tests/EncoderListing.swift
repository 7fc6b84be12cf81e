import Translator

@testable import HostX86_64

/// Instructions in Intel's syntax, each with what our encoder makes of it.
struct EncoderListing {
    private(set) var texts: [String] = []
    private(set) var encodings: [[UInt8]] = []

    static let registers = (0..<16).compactMap { Register(rawValue: $0) }
    static let vectors = (0..<16).compactMap { Vector(rawValue: $0) }

    mutating func add(_ text: String, _ emit: (inout Assembler) -> Void) {
        let code = withUnsafeTemporaryAllocation(byteCount: 64, alignment: 8) { buffer in
            var assembler = Assembler(base: buffer.baseAddress!)
            emit(&assembler)
            return Array(buffer.prefix(assembler.position))
        }
        texts.append(text)
        encodings.append(code)
    }

    // MARK: Operands

    /// What stands for a register of 1, 2, 4 or 8 bytes.
    static func name(_ register: Register, _ bytes: Int) -> String {
        let number = Int(register.rawValue)
        let old = ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di"]
        switch (bytes, number < 8) {
        case (1, true): return number < 4 ? "\(old[number].first!)l" : old[number] + "l"
        case (2, true): return old[number]
        case (4, true): return "e" + old[number]
        case (8, true): return "r" + old[number]
        default: return "r\(number)" + [1: "b", 2: "w", 4: "d", 8: ""][bytes]!
        }
    }

    static func name(_ address: Address) -> String {
        var text = "[\(name(address.base, 8))"
        if let index = address.index { text += " + \(1 << address.scale)*\(name(index, 8))" }
        return text + (address.displacement < 0 ? " - \(-Int64(address.displacement))]" : " + \(address.displacement)]")
    }

    static func name(_ place: Place, _ bytes: Int) -> String {
        switch place {
        case .register(let register): name(register, bytes)
        case .memory(let address): size(bytes) + name(address)
        }
    }

    static func name(_ place: VectorPlace, _ format: FloatFormat) -> String {
        switch place {
        case .vector(let vector): "\(vector)"
        case .memory(let address): size(format == .double ? 8 : 4) + name(address)
        }
    }

    static func size(_ bytes: Int) -> String {
        ["", "byte", "word", "", "dword", "", "", "", "qword"][bytes] + " ptr "
    }

    /// Every base, with the displacements whose encodings differ, and with an index of each kind.
    static let addresses: [Address] =
        registers.flatMap { base in
            [0, -128, 0x1234].map { Address(base, $0) } + [
                Address(base, index: base == .rsp ? .rbp : base, scale: 3, 0)
            ]
        } + [
            Address(.rsp, index: .r12, 0), Address(.r13, index: .rbp, scale: 3, 0),
            Address(.rbp, index: .r13, scale: 1, 127), Address(.r12, index: .rax, scale: 2, 128),
        ]

    /// Every base with every index and scale, and displacements at the limits of their encodings.
    static let allAddresses: [Address] = registers.flatMap { base in
        ([0, 1, -128, 127, 128, -129, .min, .max] as [Int32]).flatMap { displacement in
            [Address(base, displacement)]
                + registers.filter { $0 != .rsp }.flatMap { index in
                    (0..<4).map { Address(base, index: index, scale: $0, displacement) }
                }
        }
    }

    static let places = registers.map { Place.register($0) } + addresses.map { Place.memory($0) }
    static let vectorPlaces = vectors.map { VectorPlace.vector($0) } + addresses.map { VectorPlace.memory($0) }
    static let widths = [true, false]
    static let conditions: [(HostCondition, String)] = [
        (.below, "b"), (.aboveOrEqual, "ae"), (.equal, "e"), (.notEqual, "ne"), (.belowOrEqual, "be"), (.above, "a"),
        (.parity, "p"), (.noParity, "np"), (.less, "l"), (.greaterOrEqual, "ge"), (.lessOrEqual, "le"),
        (.greater, "g"), (.sign, "s"), (.overflow, "o"),
    ]
}
