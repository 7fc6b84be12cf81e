internal import SavedState

/// What decides which registers a hart has, and which of their bits.
struct RegisterOptions {
    let hasHypervisor: Bool
    let extensions: ExtensionSet
    let guestFileCount: Int

    var hasAdvancedInterrupts: Bool { extensions.contains(.smaia) || extensions.contains(.ssaia) }
}

extension HartState {
    var registerOptions: RegisterOptions {
        RegisterOptions(hasHypervisor: hasHypervisor, extensions: extensions, guestFileCount: guestFileCount)
    }
}

extension ControlRegisters {
    private static let kind = "riscv-csrs"

    private typealias Register = (name: String, path: WritableKeyPath<ControlRegisters, UInt64>, legal: UInt64)

    /// The 64-bit registers under their architectural names.
    private static func registers(_ options: RegisterOptions) -> [Register] {
        let hasHypervisor = options.hasHypervisor
        let guest = hasHypervisor ? Interrupt.guest | (options.guestFileCount > 0 ? Interrupt.sgeip : 0) : 0
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

    func record(retired: UInt64, _ options: RegisterOptions) -> SavedRecord {
        let hasHypervisor = options.hasHypervisor
        // Only the Advanced Interrupt Architecture needs version 3.
        var record = SavedRecord(kind: Self.kind, version: options.hasAdvancedInterrupts ? 3 : 2)
        record.set("mstatus", status & Status.stored)
        var architectural = self
        architectural.mie &= ~Interrupt.virtual
        for register in Self.registers(options) {
            record.set(register.name, architectural[keyPath: register.path])
        }
        if options.hasAdvancedInterrupts {
            for register in Self.advancedRegisters(options) { record.set(register.name, self[keyPath: register.path]) }
        }
        record.set("fflags", fflags)
        record.set("frm", frm)
        record.set("mcycle", mcountinhibit & 1 != 0 ? cycleOffset : retired &+ cycleOffset)
        record.set("minstret", mcountinhibit & 4 != 0 ? instretOffset : retired &+ instretOffset)
        record.set("hasHypervisor", hasHypervisor ? 1 : 0 as UInt8)
        guard hasHypervisor else { return record }
        for register in Self.hypervisorRegisters(options) { record.set(register.name, self[keyPath: register.path]) }
        record.set("mstateen", (0..<4).map { hypervisor.mstateen[$0] })
        record.set("hstateen", (0..<4).map { hypervisor.hstateen[$0] })
        return record
    }

    /// Reads a record. The registers of HS-mode are active.
    ///
    /// - Parameter options: of the hart. Registers that the record lacks have the values of reset.
    init(record: SavedRecord, retired: UInt64, _ options: RegisterOptions) throws(SavedStateError) {
        let hasHypervisor = options.hasHypervisor
        try record.expect(kind: Self.kind, versions: 1...3)
        self.init()
        try read(Self.registers(options), from: record)
        if hasHypervisor { mideleg |= Interrupt.guest | (options.guestFileCount > 0 ? Interrupt.sgeip : 0) }
        if options.hasAdvancedInterrupts {
            if record.version >= 3 { try read(Self.advancedRegisters(options), from: record) }
            mie |= Interrupt.virtual
        }
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
        try readHypervisor(record, options)
    }

    private mutating func read(_ registers: [Register], from record: SavedRecord) throws(SavedStateError) {
        for register in registers {
            let value: UInt64 = try record.integer(register.name)
            guard value & ~register.legal == 0 else { throw .badField(kind: Self.kind, field: register.name) }
            self[keyPath: register.path] = value
        }
    }

    private mutating func readHypervisor(
        _ record: SavedRecord, _ options: RegisterOptions
    ) throws(SavedStateError) {
        try read(Self.hypervisorRegisters(options), from: record)
        guard (hypervisor.hstatus & HypervisorStatus.vgein) >> HypervisorStatus.vgeinShift <= options.guestFileCount
        else {
            throw .badField(kind: Self.kind, field: "hstatus")
        }
        for (name, path) in [("mstateen", \HypervisorRegisters.mstateen), ("hstateen", \.hstateen)] {
            let values = try record.integers(name, count: 4)
            for (number, value) in values.enumerated() {
                let legal = StateEnable.writable(number, on: options.extensions)
                guard value & ~legal == 0 else { throw .badField(kind: Self.kind, field: name) }
                hypervisor[keyPath: path][number] = value
            }
        }
    }

    /// Registers of the Advanced Interrupt Architecture.
    private static func advancedRegisters(_ options: RegisterOptions) -> [Register] {
        let virtual = AdvancedRegisters.virtualInterrupts
        return [
            ("miselect", \.advanced.miselect, AdvancedRegisters.selectable),
            ("siselect", \.advanced.siselect, AdvancedRegisters.selectable),
            ("vsiselect", \.advanced.vsiselect, AdvancedRegisters.selectable),
            ("mvien", \.advanced.mvien, virtual), ("mvip", \.advanced.mvip, virtual),
            ("virtualSIE", \.advanced.sie, virtual),
            ("hvictl", \.advanced.hvictl, VirtualInterruptControl.writable),
        ]
    }

    private static func hypervisorRegisters(_ options: RegisterOptions) -> [Register] {
        let file = options.guestFileCount > 0 ? HypervisorStatus.vgein : 0
        let files: UInt64 = (1 << UInt64(options.guestFileCount) - 1) << 1
        let registers: [Register] = [
            ("hstatus", \.hypervisor.hstatus, HypervisorStatus.writable | file),
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
        let fileRegisters: [Register] = files == 0 ? [] : [("hgeie", \.advanced.hgeie, files)]
        return registers + fileRegisters
    }
}
