internal import HostSystem
package import SavedState
internal import Synchronization
internal import TranslationRuntime

extension Hart {
    private static let kind = "riscv-hart"

    package func save() throws(SavedStateError) -> SavedRecord {
        var record = SavedRecord(kind: Self.kind, version: 3)
        record.set("x", (0..<32).map { state.pointee.x[$0] })
        record.set("f", (0..<32).map { state.pointee.f[$0] })
        record.set("pc", state.pointee.pc)
        record.set("privilege", state.pointee.privilege.rawValue)
        record.set("virtual", state.pointee.isVirtual ? 1 : 0 as UInt8)
        // The registers of HS-mode are those of the record, whoever runs.
        var csr = state.pointee.csr
        if state.pointee.isVirtual { csr.exchangeBanks(isVirtual: false) }
        record.set("csr", csr.record(retired: state.pointee.retired, state.pointee.registerOptions))
        record.set(
            "pmpConfigurations",
            (0..<MemoryProtection.count).map { UInt64(state.pointee.protection.configurations[$0]) })
        record.set("pmpAddresses", (0..<MemoryProtection.count).map { state.pointee.protection.addresses[$0] })
        record.set("lines", signals.pointee.lines.load(ordering: .relaxed))
        record.set("software", signals.pointee.software.load(ordering: .relaxed))
        record.set("machineDeadline", signals.pointee.machineDeadline.load(ordering: .relaxed))
        record.set("life", lifeState.record)
        record.set("extensions", state.pointee.extensions.names(ofMembers: true))
        record.set("absentExtensions", state.pointee.extensions.names(ofMembers: false))
        return record
    }

    package func restore(_ record: SavedRecord) throws(SavedStateError) {
        try record.expect(kind: Self.kind, versions: 1...3)
        try checkExtensions(record)
        let x = try record.integers("x", count: 32)
        let f = try record.integers("f", count: 32)
        guard x[0] == 0, let privilege = PrivilegeMode(rawValue: try record.integer("privilege")) else {
            throw .badField(kind: Self.kind, field: "privilege")
        }
        var csr = try ControlRegisters(
            record: try record.record("csr"), retired: state.pointee.retired,
            state.pointee.registerOptions)
        for (name, pointer) in [
            ("satp", csr.satp), ("vsatp", csr.inactive.satp), ("hgatp", csr.hypervisor.hgatp),
        ] where !state.pointee.pagingMode.accepts(satp: pointer) { throw .badField(kind: Self.kind, field: name) }
        try checkEnvironment(csr)
        let isVirtual = record.version < 2 ? false : try record.integer("virtual", as: UInt8.self) != 0
        guard !isVirtual || state.pointee.hasHypervisor && privilege < .machine else {
            throw .badField(kind: Self.kind, field: "virtual")
        }
        if isVirtual { csr.exchangeBanks(isVirtual: true) }
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
        state.pointee.isVirtual = isVirtual
        state.pointee.csr = csr
        state.pointee.translation.floatReady = 0
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

    /// Checks that the hart has the extensions of the saved one, and no others that were known when it was saved.
    private func checkExtensions(_ record: SavedRecord) throws(SavedStateError) {
        // Before version 3 every hart had all of that time. One that gains an extension goes on as well, because its software uses none of it.
        let isOld = record.version < 3
        let present = isOld ? ExtensionSet.ofOldHarts.names(ofMembers: true) : try record.text("extensions")
        let absent = isOld ? "" : try record.text("absentExtensions")
        for (names, isPresent) in [(present, true), (absent, false)] {
            for name in names.split(separator: " ") {
                let one = Extension.allCases.first { $0.name == name }
                guard one.map({ state.pointee.extensions.contains($0) }) ?? false == isPresent else {
                    throw .badField(kind: Self.kind, field: isPresent ? "extensions" : "absentExtensions")
                }
            }
        }
    }

    /// Checks that no register has bits of an extension that the hart lacks.
    private func checkEnvironment(_ csr: ControlRegisters) throws(SavedStateError) {
        let extensions = state.pointee.extensions
        for (name, value, legal) in [
            ("menvcfg", csr.menvcfg, extensions.machineEnvironment),
            ("henvcfg", csr.hypervisor.henvcfg, extensions.machineEnvironment),
            ("senvcfg", csr.senvcfg, extensions.supervisorEnvironment),
            ("mcounteren", csr.mcounteren, extensions.counters),
            ("scounteren", csr.scounteren, extensions.counters),
            ("hcounteren", csr.hypervisor.hcounteren, extensions.counters),
        ] where value & ~legal != 0 { throw .badField(kind: Self.kind, field: name) }
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
