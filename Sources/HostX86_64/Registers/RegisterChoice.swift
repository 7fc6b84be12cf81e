internal import Translator

/// The slots that are to be in registers.
struct RegisterChoice {
    private(set) var integers: [Slot] = []
    private(set) var floats: [Slot] = []
    private var integerSet = SlotSet()
    private var floatSet = SlotSet()
    /// How many registers hold the addends of shared pages.
    var shared = 0
    /// Uses that are left in memory, and moves where the region is entered and left, less what shared pages save; weighted.
    var cost = 0

    mutating func addInteger(_ slot: Slot) {
        integers.append(slot)
        integerSet.insert(slot)
    }

    mutating func addFloat(_ slot: Slot) {
        floats.append(slot)
        floatSet.insert(slot)
    }

    func contains(_ slot: Slot) -> Bool { integerSet.contains(slot) || floatSet.contains(slot) }

    /// How many loads and stores it takes to come to another choice's registers.
    func moves(to other: RegisterChoice) -> Int {
        integerSet.differences(other.integerSet) + floatSet.differences(other.floatSet)
    }
}
