import Translator

/// Puts a program together, with labels. It begins at 0x1000.
struct ToyAssembler {
    private(set) var bytes: [UInt8] = []
    private var labels: [String: Int] = [:]
    /// Places of distances or addresses, with what they lead to and where distances count from.
    private var uses: [(place: Int, label: String, from: Int?)] = []

    static let base = 0x1000

    /// The address where the next instruction goes.
    var here: Int { Self.base + bytes.count }

    mutating func label(_ name: String) { labels[name] = here }

    /// Puts the next instruction at an address behind the present one.
    mutating func move(to address: Int) {
        precondition(address >= here, "programs grow")
        bytes += [UInt8](repeating: ToyOperation.nop.rawValue, count: address - here)
    }

    mutating func add(
        _ operation: ToyOperation, _ d: Int = 0, _ s: Int = 0, _ immediate: Int = 0,
        _ condition: FlagCondition = .zero
    ) {
        bytes +=
            ToyInstruction(
                operation: operation, d: UInt8(d), s: UInt8(s), immediate: Int32(truncatingIfNeeded: immediate),
                condition: condition
            ).bytes
    }

    mutating func jump(_ label: String) { jump(.jump, label) }

    /// A jump or a call.
    mutating func jump(_ operation: ToyOperation, _ label: String) {
        add(operation)
        uses.append((bytes.count - 4, label, here))
    }

    mutating func branch(_ condition: FlagCondition, _ label: String) {
        add(.branch, 0, 0, 0, condition)
        uses.append((bytes.count - 4, label, here))
    }

    /// The register becomes a label's address.
    mutating func address(_ d: Int, _ label: String) {
        add(.loadImmediate, d)
        uses.append((bytes.count - 4, label, nil))
    }

    /// The address of a label.
    func address(of label: String) -> Int {
        guard let address = labels[label] else { preconditionFailure("\(label) is somewhere") }
        return address
    }

    func program() -> [UInt8] {
        var result = bytes
        for use in uses {
            let value = UInt32(truncatingIfNeeded: address(of: use.label) - (use.from ?? 0))
            for index in 0..<4 { result[use.place + index] = UInt8(truncatingIfNeeded: value >> UInt32(8 * index)) }
        }
        return result
    }
}
