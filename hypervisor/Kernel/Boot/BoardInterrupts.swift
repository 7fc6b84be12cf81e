import Support

/// Finds the interrupt controller in the device tree.
extension InterruptController {
    /// Finds the controller that interrupts supervisors, and the places of the harts in it.
    init(_ tree: DeviceTree, _ harts: UnsafeMutablePointer<hv_hart>, count: Int) {
        for hart in 0..<Int(HV_HARTS) { harts[hart].interrupt_context = .max }
        var imsic: (phandle: UInt32, IMSIC)?
        tree.forEachNode { node in
            guard imsic == nil, node.lists("riscv,imsics"), node.interruptsSupervisors,
                let phandle = node.word("phandle")
            else { return }
            imsic = IMSIC(node).map { (phandle, $0) }
        }
        var found = InterruptController.none
        tree.forEachNode { node in
            guard let range = node.range(), case .none = found else { return }
            if node.lists("riscv,plic0") || node.lists("sifive,plic-1.0.0") {
                found = .plic(PLIC(registers: range))
                node.forEachSupervisor(harts, count) { $0.pointee.interrupt_context = UInt32($1) }
            } else if node.lists("riscv,aplic") {
                let aplic = APLIC(registers: range, sources: node.word("riscv,num-sources") ?? 0)
                if let imsic, node.word("msi-parent") == imsic.phandle {
                    found = .messages(aplic, imsic.1)
                } else if node.interruptsSupervisors {
                    found = .aplic(aplic)
                    node.forEachSupervisor(harts, count) { $0.pointee.interrupt_context = UInt32($1) }
                }
            }
        }
        self = found
        guard case .messages(_, let own) = found else { return }
        tree.forEachNode { node in
            guard node.word("phandle") == imsic?.phandle else { return }
            node.forEachSupervisor(harts, count) { own.place($0, $1, node) }
        }
    }
}

/// An interrupt of the board's, as the node of a device has it.
struct BoardInterrupt {
    var source: UInt32 = 0
    /// What the wire does, as an APLIC's sourcecfg says it: an edge that rises (4) or falls (5), a level that is high (6) or low (7).
    var mode: UInt32 = 6

    init() {}

    /// `interrupts` has the source, and for an APLIC the type: 1 a rising edge, 2 a falling one, 4 a high level, 8 a low one.
    init(_ node: DeviceTree.Node) {
        guard let (offset, length) = node.property("interrupts"), length >= 4 else { return }
        source = node.tree.word(offset)
        guard length >= 8 else { return }
        switch node.tree.word(offset + 4) & 15 {
        case 1: mode = 4
        case 2: mode = 5
        case 8: mode = 7
        default: break
        }
    }
}

extension DeviceTree.Node {
    /// The supervisor's external interrupt of a hart in `interrupts-extended`.
    private static let supervisor: UInt32 = 9

    /// Whether the first pair of `interrupts-extended` is a supervisor's interrupt.
    var interruptsSupervisors: Bool {
        guard let (offset, length) = property("interrupts-extended"), length >= 8 else { return false }
        return tree.word(offset + 4) == Self.supervisor
    }

    /// Visits the harts of the supervisor's pairs of `interrupts-extended` with the pairs' numbers.
    func forEachSupervisor(_ harts: Hart, _ count: Int, _ body: (Hart, Int) -> Void) {
        guard let (offset, length) = property("interrupts-extended") else { return }
        for pair in 0..<min(length / 8, 1 << 14) where tree.word(offset + 8 * pair + 4) == Self.supervisor {
            let phandle = tree.word(offset + 8 * pair)
            for hart in 0..<count
            where harts[hart].interrupt_phandle_known == 1 && harts[hart].interrupt_phandle == phandle {
                body(harts + hart, pair)
            }
        }
    }
}
