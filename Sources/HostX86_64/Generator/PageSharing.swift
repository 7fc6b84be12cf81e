internal import Translator

/// Accesses of a block that lie in the page of an earlier one for certain: they share its look-up in the TLB.
///
/// The first access of a group checks that all of the group lies in one page which allows it, and leaves the page's addend
/// in a register. Only the processor itself changes its TLB, in a helper or between blocks.
struct PageSharing {
    struct Group {
        let register: Register
        let base: Slot
        /// Displacements from the base's present value that were checked.
        var range: Range<Int32>
        let allowsStores: Bool
    }

    /// The bytes that accesses with the same base touch together.
    struct Span {
        /// Displacements from the base's value at the first of them.
        let range: Range<Int32>
        let store: Bool
        let count: Int
    }

    /// How many of `HostRegisters.shared` are free for groups.
    var registerCount = 0
    /// The groups that hold at this point, the one used last at the end.
    private var groups: [Group] = []

    mutating func removeAll() { groups.removeAll(keepingCapacity: true) }

    /// The group that has checked an access already.
    mutating func find(_ base: Slot, _ range: Range<Int32>, store: Bool) -> Group? {
        guard
            let index = groups.firstIndex(where: {
                $0.base == base && (!store || $0.allowsStores) && $0.range.lowerBound <= range.lowerBound
                    && range.upperBound <= $0.range.upperBound
            })
        else { return nil }
        let group = groups.remove(at: index)
        groups.append(group)
        return group
    }

    /// Begins a group in the register that has not been used for the longest time.
    mutating func begin(_ base: Slot, _ range: Range<Int32>, store: Bool) -> Group {
        groups.removeAll { $0.base == base }
        let registers = HostRegisters.shared.prefix(registerCount)
        let free = registers.first { register in !groups.contains { $0.register == register } }
        let register = free ?? groups.removeFirst().register
        let group = Group(register: register, base: base, range: range, allowsStores: store)
        groups.append(group)
        return group
    }

    /// Ends or moves groups whose base a translated statement changes.
    mutating func noteEffects(of statement: Statement) {
        if groups.isEmpty { return }
        if case .helper = statement { return removeAll() }
        guard let slot = statement.destination ?? statement.floatDestination else { return }
        guard let index = groups.firstIndex(where: { $0.base == slot }) else { return }
        if let range = statement.displaced(groups[index].range, from: slot) {
            groups[index].range = range
        } else {
            groups.remove(at: index)
        }
    }

    /// The span of the accesses of `steps` that share their base with the first access.
    /// Nil when there is nothing to share.
    static func span(of steps: ArraySlice<Step>, base: Slot) -> Span? {
        var result: (range: Range<Int32>, store: Bool)?
        var count = 0
        // How much the base has grown since the first access.
        var growth: Int32 = 0
        for step in steps {
            let statement = step.statement
            if case .helper = statement { break }
            if let access = statement.access, access.base == .slot(base) {
                let start = access.displacement &+ growth
                let range = start..<start &+ Int32(access.bytes)
                let joined = result.map { joinedRange($0.range, range) } ?? range
                // A page is the most that can be shared; beyond half of it two pages are likely.
                if joined.count > 2048 || start.magnitude > 1 << 20 { break }
                result = (joined, access.isStore || result?.store == true)
                count += 1
            }
            if statement.destination == base || statement.floatDestination == base {
                guard case .binary(.add, .bits64, _, .slot(base), .constant(let value)) = statement,
                    let added = Int32(exactly: Int64(bitPattern: value)), added.magnitude <= 4096
                else { break }
                growth &+= added
            }
        }
        guard let result, count > 1 else { return nil }
        return Span(range: result.range, store: result.store, count: count)
    }

    private static func joinedRange(_ a: Range<Int32>, _ b: Range<Int32>) -> Range<Int32> {
        min(a.lowerBound, b.lowerBound)..<max(a.upperBound, b.upperBound)
    }
}
