internal import Translator

/// Which slots live in which host registers while a piece of generated code runs. The others are in memory.
package struct Assignment: Sendable {
    private var registers: [Register?]
    private var vectors: [Vector?]
    private(set) var integers: [(slot: Slot, register: Register)] = []
    private(set) var floats: [(slot: Slot, vector: Vector)] = []
    /// How many of `HostRegisters.shared` hold no slot.
    private(set) var shared = 0

    init() {
        registers = Array(repeating: nil, count: 256)
        vectors = Array(repeating: nil, count: 256)
    }

    func register(of slot: Slot) -> Register? { registers[Int(slot.index)] }
    func vector(of slot: Slot) -> Vector? { vectors[Int(slot.index)] }

    mutating func assign(_ slot: Slot, _ register: Register) {
        registers[Int(slot.index)] = register
        integers.append((slot, register))
    }

    mutating func assign(_ slot: Slot, _ vector: Vector) {
        vectors[Int(slot.index)] = vector
        floats.append((slot, vector))
    }
}

extension Assignment {
    /// Gives registers to the slots that blocks use most.
    ///
    /// A slot keeps the register that it has in the first of `others` where it has one, as far as that is free, so that going
    /// from one to the other moves little.
    init(_ choice: RegisterChoice, like others: [Assignment]) {
        self.init()
        shared = choice.shared
        var free = HostRegisters.pinned.filter { !HostRegisters.shared.prefix(shared).contains($0) }
        var freeVectors = HostRegisters.vectors
        for other in others {
            for slot in choice.integers where register(of: slot) == nil {
                guard let register = other.register(of: slot), let index = free.firstIndex(of: register) else {
                    continue
                }
                free.remove(at: index)
                assign(slot, register)
            }
            for slot in choice.floats where vector(of: slot) == nil {
                guard let vector = other.vector(of: slot), let index = freeVectors.firstIndex(of: vector) else {
                    continue
                }
                freeVectors.remove(at: index)
                assign(slot, vector)
            }
        }
        for slot in choice.integers where register(of: slot) == nil { assign(slot, free.removeFirst()) }
        for slot in choice.floats where vector(of: slot) == nil { assign(slot, freeVectors.removeFirst()) }
    }
}
