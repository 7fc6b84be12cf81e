#if arch(x86_64)
    internal import CKVM
    package import SavedState

    private enum Fields {
        static let registers: [SavedField<kvm_regs>] = [
            SavedField("rax", \.rax), SavedField("rbx", \.rbx), SavedField("rcx", \.rcx), SavedField("rdx", \.rdx),
            SavedField("rsi", \.rsi),
            SavedField("rdi", \.rdi), SavedField("rsp", \.rsp), SavedField("rbp", \.rbp), SavedField("r8", \.r8),
            SavedField("r9", \.r9),
            SavedField("r10", \.r10), SavedField("r11", \.r11), SavedField("r12", \.r12), SavedField("r13", \.r13),
            SavedField("r14", \.r14),
            SavedField("r15", \.r15), SavedField("rip", \.rip), SavedField("rflags", \.rflags),
        ]
        static let specialRegisters: [SavedField<kvm_sregs>] = [
            SavedField("cr0", \.cr0), SavedField("cr2", \.cr2), SavedField("cr3", \.cr3), SavedField("cr4", \.cr4),
            SavedField("cr8", \.cr8),
            SavedField("efer", \.efer), SavedField("apicBase", \.apic_base), SavedField("gdtBase", \.gdt.base),
            SavedField("gdtLimit", \.gdt.limit), SavedField("idtBase", \.idt.base), SavedField("idtLimit", \.idt.limit),
            SavedField("pendingInterrupt0", \.interrupt_bitmap.0),
            SavedField("pendingInterrupt1", \.interrupt_bitmap.1),
            SavedField("pendingInterrupt2", \.interrupt_bitmap.2),
            SavedField("pendingInterrupt3", \.interrupt_bitmap.3),
        ]
        static let segment: [SavedField<kvm_segment>] = [
            SavedField("base", \.base), SavedField("limit", \.limit), SavedField("selector", \.selector),
            SavedField("type", \.type),
            SavedField("present", \.present), SavedField("privilege", \.dpl), SavedField("is32Bit", \.db),
            SavedField("isCodeOrData", \.s),
            SavedField("is64Bit", \.l), SavedField("countsPages", \.g), SavedField("available", \.avl),
            SavedField("isUnusable", \.unusable),
        ]
        static let segments: [(String, any WritableKeyPath<kvm_sregs, kvm_segment> & Sendable)] = [
            ("cs", \.cs), ("ds", \.ds), ("es", \.es), ("fs", \.fs), ("gs", \.gs), ("ss", \.ss), ("tr", \.tr),
            ("ldt", \.ldt),
        ]
        static let debugRegisters: [SavedField<kvm_debugregs>] = [
            SavedField("dr0", \.db.0), SavedField("dr1", \.db.1), SavedField("dr2", \.db.2), SavedField("dr3", \.db.3),
            SavedField("dr6", \.dr6),
            SavedField("dr7", \.dr7),
        ]
        static let events: [SavedField<kvm_vcpu_events>] = [
            SavedField("exceptionInjected", \.exception.injected), SavedField("exceptionNumber", \.exception.nr),
            SavedField("exceptionHasCode", \.exception.has_error_code),
            SavedField("exceptionPending", \.exception.pending),
            SavedField("exceptionCode", \.exception.error_code), SavedField("interruptInjected", \.interrupt.injected),
            SavedField("interruptNumber", \.interrupt.nr), SavedField("interruptIsSoft", \.interrupt.soft),
            SavedField("interruptShadow", \.interrupt.shadow), SavedField("nmiInjected", \.nmi.injected),
            SavedField("nmiPending", \.nmi.pending), SavedField("nmiMasked", \.nmi.masked),
            SavedField("sipiVector", \.sipi_vector),
            SavedField("flags", \.flags), SavedField("inSMM", \.smi.smm), SavedField("smiPending", \.smi.pending),
            SavedField("smmInNMI", \.smi.smm_inside_nmi), SavedField("initLatched", \.smi.latched_init),
            SavedField("tripleFaultPending", \.triple_fault.pending),
        ]
    }

    extension X86State {
        static let kind = "x86-64-vcpu"

        /// The saved form, with the CPUID model. Kinds and field names stay as earlier builds wrote them.
        package func record(cpuid: CPUIDModel) -> SavedRecord {
            var record = SavedRecord(kind: Self.kind, version: 1)
            record.set("features", cpuid.record)
            record.set("registers", SavedFields.encode("x86-registers", registers, Fields.registers))
            var control = SavedFields.encode("x86-control", specialRegisters, Fields.specialRegisters)
            for (name, path) in Fields.segments {
                control.set(name, SavedFields.encode("x86-segment", specialRegisters[keyPath: path], Fields.segment))
            }
            record.set("control", control)
            record.set("extended", xsave)
            record.set("extendedControl", xcrPairs)
            record.set("debug", SavedFields.encode("x86-debug", debugRegisters, Fields.debugRegisters))
            record.set("events", SavedFields.encode("x86-events", events, Fields.events))
            record.set("activity", mpState)
            record.set("localAPIC", localAPIC)
            record.set("modelSpecificIndices", msrs.map { UInt64($0.index) })
            record.set("modelSpecificValues", msrs.map(\.value))
            return record
        }

        /// Decodes a saved state. The CPUID model is the record's field `features`.
        package init(_ record: SavedRecord) throws(SavedStateError) {
            try record.expect(kind: Self.kind, versions: 1...1)
            registers = try SavedFields.decode(
                try record.record("registers"), "x86-registers", kvm_regs(), Fields.registers)
            let controlRecord = try record.record("control")
            specialRegisters = try SavedFields.decode(
                controlRecord, "x86-control", kvm_sregs(), Fields.specialRegisters)
            for (name, path) in Fields.segments {
                specialRegisters[keyPath: path] = try SavedFields.decode(
                    try controlRecord.record(name), "x86-segment", kvm_segment(), Fields.segment)
            }
            xsave = try Self.bytes(record, "extended", count: Self.xsaveSize)
            try setXCRs(try record.integers("extendedControl"), of: record)
            debugRegisters = try SavedFields.decode(
                try record.record("debug"), "x86-debug", kvm_debugregs(), Fields.debugRegisters)
            events = try SavedFields.decode(try record.record("events"), "x86-events", kvm_vcpu_events(), Fields.events)
            mpState = try record.integer("activity")
            localAPIC = try Self.bytes(record, "localAPIC", count: Self.localAPICSize)
            let indices = try record.integers("modelSpecificIndices")
            let values = try record.integers("modelSpecificValues", count: indices.count)
            for (index, value) in zip(indices, values) {
                guard let index = UInt32(exactly: index) else {
                    throw .badField(kind: record.kind, field: "modelSpecificIndices")
                }
                msrs.append(MSR(index: index, value: value))
            }
        }

        /// The extended control registers as pairs of index and value.
        private var xcrPairs: [UInt64] {
            withUnsafeBytes(of: xcrs.xcrs) { bytes in
                bytes.bindMemory(to: kvm_xcr.self).prefix(Int(xcrs.nr_xcrs)).flatMap { [UInt64($0.xcr), $0.value] }
            }
        }

        private mutating func setXCRs(
            _ pairs: [UInt64], of record: SavedRecord
        ) throws(SavedStateError) {
            guard pairs.count % 2 == 0, pairs.count / 2 <= Int(KVM_MAX_XCRS),
                stride(from: 0, to: pairs.count, by: 2).allSatisfy({ pairs[$0] <= UInt32.max })
            else { throw .badField(kind: record.kind, field: "extendedControl") }
            xcrs.nr_xcrs = UInt32(pairs.count / 2)
            withUnsafeMutableBytes(of: &xcrs.xcrs) { bytes in
                let registers = bytes.bindMemory(to: kvm_xcr.self)
                for index in 0..<pairs.count / 2 {
                    registers[index] = kvm_xcr(xcr: UInt32(pairs[2 * index]), reserved: 0, value: pairs[2 * index + 1])
                }
            }
        }

        private static func bytes(
            _ record: SavedRecord, _ name: String, count: Int
        ) throws(SavedStateError) -> [UInt8] {
            let bytes = try record.bytes(name, limit: count)
            guard bytes.count == count else { throw .badField(kind: record.kind, field: name) }
            return bytes
        }
    }
#endif
