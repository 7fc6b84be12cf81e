internal import SavedState

extension ControlRegisters {
    private static let kind = "riscv-csrs"

    private typealias Register = (name: String, path: WritableKeyPath<ControlRegisters, UInt64>, legal: UInt64)

    /// The 64-bit registers under their architectural names.
    private static func registers(hasHypervisor: Bool) -> [Register] {
        let guest = hasHypervisor ? Interrupt.guest : 0
        return [
            ("mie", \.mie, Interrupt.all | guest),
            ("medeleg", \.medeleg, 0xB3FF | (hasHypervisor ? HypervisorRegisters.causes : 0)),
            ("mideleg", \.mideleg, Interrupt.supervisor | guest), ("mtvec", \.mtvec, ~2),
            ("mscratch", \.mscratch, .max),
            ("mepc", \.mepc, ~1), ("mcause", \.mcause, .max), ("mtval", \.mtval, .max),
            ("mcounteren", \.mcounteren, 0xFFFF_FFFF), ("menvcfg", \.menvcfg, Environment.machineWritable),
            ("mcountinhibit", \.mcountinhibit, 0xFFFF_FFFD), ("stvec", \.stvec, ~2),
            ("scounteren", \.scounteren, 0xFFFF_FFFF), ("senvcfg", \.senvcfg, Environment.supervisorWritable),
            ("sscratch", \.sscratch, .max), ("sepc", \.sepc, ~1), ("scause", \.scause, .max), ("stval", \.stval, .max),
            ("satp", \.satp, .max), ("stimecmp", \.stimecmp, .max),
        ]
    }

    /// - Parameter hasHypervisor: adds the registers of the hypervisor extension.
    func record(retired: UInt64, hasHypervisor: Bool) -> SavedRecord {
        var record = SavedRecord(kind: Self.kind, version: 2)
        record.set("mstatus", status & Status.stored)
        for register in Self.registers(hasHypervisor: hasHypervisor) {
            record.set(register.name, self[keyPath: register.path])
        }
        record.set("fflags", fflags)
        record.set("frm", frm)
        record.set("mcycle", mcountinhibit & 1 != 0 ? cycleOffset : retired &+ cycleOffset)
        record.set("minstret", mcountinhibit & 4 != 0 ? instretOffset : retired &+ instretOffset)
        record.set("hasHypervisor", hasHypervisor ? 1 : 0 as UInt8)
        guard hasHypervisor else { return record }
        for register in Self.hypervisorRegisters { record.set(register.name, self[keyPath: register.path]) }
        record.set("mstateen", (0..<4).map { hypervisor.mstateen[$0] })
        record.set("hstateen", (0..<4).map { hypervisor.hstateen[$0] })
        return record
    }

    /// Reads a record. The registers of HS-mode are active.
    ///
    /// - Parameter hasHypervisor: the hart has the hypervisor extension. Registers that the record lacks have the values of reset.
    init(record: SavedRecord, retired: UInt64, hasHypervisor: Bool) throws(SavedStateError) {
        try record.expect(kind: Self.kind, versions: 1...2)
        self.init()
        try read(Self.registers(hasHypervisor: hasHypervisor), from: record)
        if hasHypervisor { mideleg |= Interrupt.guest }
        let mstatus: UInt64 = try record.integer("mstatus")
        guard mstatus & ~(hasHypervisor ? Status.stored : Status.writable) == 0, mstatus >> Status.mppShift & 3 != 2
        else {
            throw .badField(kind: Self.kind, field: "mstatus")
        }
        setStatus(mstatus)
        fflags = try record.integer("fflags", as: UInt8.self) & 31
        frm = try record.integer("frm", as: UInt8.self) & 7
        let mcycle: UInt64 = try record.integer("mcycle")
        let minstret: UInt64 = try record.integer("minstret")
        cycleOffset = mcountinhibit & 1 != 0 ? mcycle : mcycle &- retired
        instretOffset = mcountinhibit & 4 != 0 ? minstret : minstret &- retired
        let isSaved = record.version < 2 ? false : try record.integer("hasHypervisor", as: UInt8.self) != 0
        guard isSaved else { return }
        guard hasHypervisor else { throw .badField(kind: Self.kind, field: "hasHypervisor") }
        try readHypervisor(record)
    }

    private mutating func read(_ registers: [Register], from record: SavedRecord) throws(SavedStateError) {
        for register in registers {
            let value: UInt64 = try record.integer(register.name)
            guard value & ~register.legal == 0 else { throw .badField(kind: Self.kind, field: register.name) }
            self[keyPath: register.path] = value
        }
    }

    private mutating func readHypervisor(_ record: SavedRecord) throws(SavedStateError) {
        try read(Self.hypervisorRegisters, from: record)
        for (name, path) in [("mstateen", \HypervisorRegisters.mstateen), ("hstateen", \.hstateen)] {
            let values = try record.integers(name, count: 4)
            for (number, value) in values.enumerated() {
                guard value & ~StateEnable.writable(number) == 0 else { throw .badField(kind: Self.kind, field: name) }
                hypervisor[keyPath: path][number] = value
            }
        }
    }

    private static var hypervisorRegisters: [Register] {
        [
            ("hstatus", \.hypervisor.hstatus, HypervisorStatus.writable),
            ("hedeleg", \.hypervisor.hedeleg, HypervisorRegisters.delegable),
            ("hideleg", \.hypervisor.hideleg, Interrupt.guest), ("hvip", \.hypervisor.hvip, Interrupt.guest),
            ("hcounteren", \.hypervisor.hcounteren, 0xFFFF_FFFF),
            ("henvcfg", \.hypervisor.henvcfg, Environment.machineWritable),
            ("htimedelta", \.hypervisor.htimedelta, .max), ("htval", \.hypervisor.htval, .max),
            ("htinst", \.hypervisor.htinst, .max),
            ("hgatp", \.hypervisor.hgatp, 15 << 60 | HypervisorRegisters.identifiers << 44 | (1 << 44 - 4)),
            ("vstimecmp", \.hypervisor.vstimecmp, .max), ("mtval2", \.hypervisor.mtval2, .max),
            ("mtinst", \.hypervisor.mtinst, .max), ("vsstatus", \.inactive.status, Status.supervisorWritable),
            ("vstvec", \.inactive.stvec, ~2), ("vsscratch", \.inactive.sscratch, .max),
            ("vsepc", \.inactive.sepc, ~1), ("vscause", \.inactive.scause, .max),
            ("vstval", \.inactive.stval, .max), ("vsatp", \.inactive.satp, .max),
        ]
    }
}
