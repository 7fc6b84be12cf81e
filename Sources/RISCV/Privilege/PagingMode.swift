/// A form of page tables with its encoding in satp (Privileged Architecture, table of satp.MODE).
package enum PagingMode: UInt64, CaseIterable, Sendable, Comparable {
    case sv39 = 8
    case sv48 = 9
    case sv57 = 10

    /// Whether a hart whose widest form is this one takes `satp`: Bare, or a form up to this one.
    func accepts(satp: UInt64) -> Bool {
        let mode = satp >> 60
        return mode == 0 || mode >= Self.sv39.rawValue && mode <= rawValue
    }

    package static func < (left: PagingMode, right: PagingMode) -> Bool { left.rawValue < right.rawValue }
}
