internal import HostSystem
package import SavedState
internal import Synchronization

extension Hart {
    private static let kind = "riscv-hart"

    package func save() throws(SavedStateError) -> SavedRecord {
        var record = SavedRecord(kind: Self.kind, version: 1)
        record.set("x", (0..<32).map { state.pointee.x[$0] })
        record.set("f", (0..<32).map { state.pointee.f[$0] })
        record.set("pc", state.pointee.pc)
        record.set("privilege", state.pointee.privilege.rawValue)
        record.set("csr", state.pointee.csr.record(retired: state.pointee.retired))
        record.set(
            "pmpConfigurations",
            (0..<MemoryProtection.count).map { UInt64(state.pointee.protection.configurations[$0]) })
        record.set("pmpAddresses", (0..<MemoryProtection.count).map { state.pointee.protection.addresses[$0] })
        record.set("lines", signals.pointee.lines.load(ordering: .relaxed))
        record.set("software", signals.pointee.software.load(ordering: .relaxed))
        record.set("machineDeadline", signals.pointee.machineDeadline.load(ordering: .relaxed))
        record.set("life", lifeState.record)
        return record
    }

    package func restore(_ record: SavedRecord) throws(SavedStateError) {
        try record.expect(kind: Self.kind, versions: 1...1)
        let x = try record.integers("x", count: 32)
        let f = try record.integers("f", count: 32)
        guard x[0] == 0, let privilege = PrivilegeMode(rawValue: try record.integer("privilege")) else {
            throw .badField(kind: Self.kind, field: "privilege")
        }
        let csr = try ControlRegisters(record: try record.record("csr"), retired: state.pointee.retired)
        guard state.pointee.pagingMode.accepts(satp: csr.satp) else { throw .badField(kind: Self.kind, field: "satp") }
        let configurations = try record.integers("pmpConfigurations", count: MemoryProtection.count)
        let addresses = try record.integers("pmpAddresses", count: MemoryProtection.count)
        let lines = try record.integer("lines", as: UInt64.self)
        let software = try record.integer("software", as: UInt64.self)
        let deadline = try record.integer("machineDeadline", as: UInt64.self)
        let restoredLife = try HartLife(record: try record.record("life"))
        let pc: UInt64 = try record.integer("pc")
        guard pc & 1 == 0 else { throw .badField(kind: record.kind, field: "pc") }

        for index in 0..<32 {
            state.pointee.x[index] = x[index]
            state.pointee.f[index] = f[index]
        }
        state.pointee.pc = pc
        state.pointee.privilege = privilege
        state.pointee.csr = csr
        state.pointee.protection.restore(configurations: configurations, addresses: addresses)
        // A reservation may be lost at any time (Unprivileged Architecture 14.2).
        state.pointee.reservation.clear()
        signals.pointee.lines.store(lines & (Interrupt.all & ~Interrupt.ssip), ordering: .relaxed)
        signals.pointee.software.store(software & Interrupt.supervisor, ordering: .relaxed)
        signals.pointee.machineDeadline.store(deadline, ordering: .relaxed)
        life.update { $0 = restoredLife }
        state.pointee.synchronizeInstructions()
        state.pointee.flushTranslations()
    }
}

extension HartLife {
    fileprivate var record: SavedRecord {
        var record = SavedRecord(kind: "hart-life", version: 2)
        let (name, address, opaque): (String, UInt64, UInt64) =
            switch self {
            case .started: ("started", 0, 0)
            case .stopped: ("stopped", 0, 0)
            case .starting(let address, let opaque): ("starting", address, opaque)
            case .suspendedRetentively: ("suspended-retentively", 0, 0)
            case .suspended(let address, let opaque): ("suspended", address, opaque)
            case .resuming(let address, let opaque): ("resuming", address, opaque)
            }
        record.set("name", name)
        record.set("address", address)
        record.set("opaque", opaque)
        return record
    }

    fileprivate init(record: SavedRecord) throws(SavedStateError) {
        try record.expect(kind: "hart-life", versions: 1...2)
        let address: UInt64 = try record.integer("address")
        let opaque: UInt64 = try record.integer("opaque")
        guard address & 1 == 0 else { throw .badField(kind: "hart-life", field: "address") }
        switch try record.text("name") {
        case "started": self = .started
        case "stopped": self = .stopped
        case "starting": self = .starting(address: address, opaque: opaque)
        case "suspended-retentively": self = .suspendedRetentively
        case "suspended": self = .suspended(address: address, opaque: opaque)
        case "resuming": self = .resuming(address: address, opaque: opaque)
        default: throw .badField(kind: "hart-life", field: "name")
        }
    }
}

extension ControlRegisters {
    private static let kind = "riscv-csrs"

    /// The 64-bit registers under their architectural names.
    private static var registers: [(name: String, path: WritableKeyPath<ControlRegisters, UInt64>, legal: UInt64)] {
        [
            ("mie", \.mie, Interrupt.all), ("medeleg", \.medeleg, 0xB3FF),
            ("mideleg", \.mideleg, Interrupt.supervisor), ("mtvec", \.mtvec, ~2), ("mscratch", \.mscratch, .max),
            ("mepc", \.mepc, ~1), ("mcause", \.mcause, .max), ("mtval", \.mtval, .max),
            ("mcounteren", \.mcounteren, 0xFFFF_FFFF), ("menvcfg", \.menvcfg, Environment.machineWritable),
            ("mcountinhibit", \.mcountinhibit, 0xFFFF_FFFD), ("stvec", \.stvec, ~2),
            ("scounteren", \.scounteren, 0xFFFF_FFFF), ("senvcfg", \.senvcfg, Environment.supervisorWritable),
            ("sscratch", \.sscratch, .max), ("sepc", \.sepc, ~1), ("scause", \.scause, .max), ("stval", \.stval, .max),
            ("satp", \.satp, .max), ("stimecmp", \.stimecmp, .max),
        ]
    }

    fileprivate func record(retired: UInt64) -> SavedRecord {
        var record = SavedRecord(kind: Self.kind, version: 1)
        record.set("mstatus", status & Status.writable)
        for register in Self.registers { record.set(register.name, self[keyPath: register.path]) }
        record.set("fflags", fflags)
        record.set("frm", frm)
        record.set("mcycle", mcountinhibit & 1 != 0 ? cycleOffset : retired &+ cycleOffset)
        record.set("minstret", mcountinhibit & 4 != 0 ? instretOffset : retired &+ instretOffset)
        return record
    }

    fileprivate init(record: SavedRecord, retired: UInt64) throws(SavedStateError) {
        try record.expect(kind: Self.kind, versions: 1...1)
        self.init()
        for register in Self.registers {
            let value: UInt64 = try record.integer(register.name)
            guard value & ~register.legal == 0 else { throw .badField(kind: Self.kind, field: register.name) }
            self[keyPath: register.path] = value
        }
        let mstatus: UInt64 = try record.integer("mstatus")
        guard mstatus & ~Status.writable == 0, mstatus >> Status.mppShift & 3 != 2 else {
            throw .badField(kind: Self.kind, field: "mstatus")
        }
        setStatus(mstatus)
        fflags = try record.integer("fflags", as: UInt8.self) & 31
        frm = try record.integer("frm", as: UInt8.self) & 7
        let mcycle: UInt64 = try record.integer("mcycle")
        let minstret: UInt64 = try record.integer("minstret")
        cycleOffset = mcountinhibit & 1 != 0 ? mcycle : mcycle &- retired
        instretOffset = mcountinhibit & 4 != 0 ? minstret : minstret &- retired
    }
}
