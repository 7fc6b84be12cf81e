/// What a filter asks of an argument of a system call: its low 32 bits, which are all that the kernel uses of these, or all 64.
struct ArgumentTest: Equatable, Sendable {
    enum Relation: Equatable, Sendable {
        case equal
        case different
    }

    /// 0 to 5.
    let argument: Int
    let mask: UInt32
    let relation: Relation
    let value: UInt32
    /// Whether the upper half must be 0 as well. Only without a mask and for `equal`.
    var isWide = false

    static func argument(_ number: Int, is value: UInt32) -> ArgumentTest {
        ArgumentTest(argument: number, mask: .max, relation: .equal, value: value)
    }

    static func argument(_ number: Int, isNot value: UInt32) -> ArgumentTest {
        ArgumentTest(argument: number, mask: .max, relation: .different, value: value)
    }

    static func argument(_ number: Int, masked mask: UInt32, is value: UInt32) -> ArgumentTest {
        ArgumentTest(argument: number, mask: mask, relation: .equal, value: value)
    }

    /// A pointer that points to nothing.
    static func argumentIsNull(_ number: Int) -> ArgumentTest {
        ArgumentTest(argument: number, mask: .max, relation: .equal, value: 0, isWide: true)
    }
}

/// What a filter does with one system call.
struct FilterRule: Equatable, Sendable {
    let call: SystemCall
    /// The call is allowed when all tests of one of these hold.
    let alternatives: [[ArgumentTest]]
    /// The verdict on other arguments.
    let otherwise: FilterVerdict

    static func allow(_ calls: SystemCall...) -> [FilterRule] {
        calls.map { FilterRule(call: $0, alternatives: [[]], otherwise: .trap) }
    }

    static func refuse(_ code: Int32, _ calls: SystemCall...) -> [FilterRule] {
        calls.map { FilterRule(call: $0, alternatives: [], otherwise: .refuse(code)) }
    }

    static func allow(
        _ call: SystemCall, when alternatives: [[ArgumentTest]], otherwise: FilterVerdict = .trap
    ) -> [FilterRule] {
        [FilterRule(call: call, alternatives: alternatives, otherwise: otherwise)]
    }
}
