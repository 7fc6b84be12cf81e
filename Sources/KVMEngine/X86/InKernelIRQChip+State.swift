#if arch(x86_64)
    internal import CKVM
    internal import SavedState

    extension InKernelIRQChip.State {
        private static let pic: [SavedField<kvm_pic_state>] = [
            SavedField("lastLines", \.last_irr), SavedField("requested", \.irr), SavedField("masked", \.imr),
            SavedField("inService", \.isr), SavedField("priority", \.priority_add), SavedField("base", \.irq_base),
            SavedField("readsInService", \.read_reg_select), SavedField("polls", \.poll),
            SavedField("specialMask", \.special_mask), SavedField("initialization", \.init_state),
            SavedField("autoEnd", \.auto_eoi), SavedField("rotates", \.rotate_on_auto_eoi),
            SavedField("specialNested", \.special_fully_nested_mode), SavedField("fourWords", \.init4),
            SavedField("levels", \.elcr), SavedField("levelMask", \.elcr_mask),
        ]
        private static let channel: [SavedField<kvm_pit_channel_state>] = [
            SavedField("count", \.count), SavedField("latchedCount", \.latched_count),
            SavedField("countLatched", \.count_latched), SavedField("statusLatched", \.status_latched),
            SavedField("status", \.status), SavedField("readState", \.read_state),
            SavedField("writeState", \.write_state), SavedField("writeLatch", \.write_latch),
            SavedField("accessMode", \.rw_mode), SavedField("mode", \.mode), SavedField("isDecimal", \.bcd),
            SavedField("gate", \.gate),
        ]
        private static let ioapicFields: [SavedField<kvm_ioapic_state>] = [
            SavedField("base", \.base_address), SavedField("selected", \.ioregsel), SavedField("identifier", \.id),
            SavedField("requested", \.irr),
        ]

        var record: SavedRecord {
            var record = SavedRecord(kind: "x86-interrupt-controllers", version: 1)
            record.set("pics", pics.map { SavedFields.encode("pic", $0, Self.pic) })
            var ioapicRecord = SavedFields.encode("ioapic", ioapic, Self.ioapicFields)
            let redirections = withUnsafeBytes(of: ioapic) { bytes in
                (0..<Int(KVM_IOAPIC_NUM_PINS)).map {
                    bytes.load(fromByteOffset: AERIE_IOAPIC_REDIRECTIONS + 8 * $0, as: UInt64.self)
                }
            }
            ioapicRecord.set("redirections", redirections)
            record.set("ioapic", ioapicRecord)
            record.set(
                "timer",
                [timer.channels.0, timer.channels.1, timer.channels.2].map {
                    SavedFields.encode("pit-channel", $0, Self.channel)
                })
            record.set("timerFlags", timer.flags)
            return record
        }

        init(_ record: SavedRecord) throws(SavedStateError) {
            self.init()
            try record.expect(kind: "x86-interrupt-controllers", versions: 1...1)
            for (index, pic) in try record.records("pics", count: 2).enumerated() {
                pics[index] = try SavedFields.decode(pic, "pic", kvm_pic_state(), Self.pic)
            }
            let ioapicRecord = try record.record("ioapic")
            ioapic = try SavedFields.decode(ioapicRecord, "ioapic", kvm_ioapic_state(), Self.ioapicFields)
            let redirections = try ioapicRecord.integers("redirections", count: Int(KVM_IOAPIC_NUM_PINS))
            withUnsafeMutableBytes(of: &ioapic) { bytes in
                for (index, bits) in redirections.enumerated() {
                    bytes.storeBytes(of: bits, toByteOffset: AERIE_IOAPIC_REDIRECTIONS + 8 * index, as: UInt64.self)
                }
            }
            let channels = try record.records("timer", count: 3)
            func channel(_ index: Int) throws(SavedStateError) -> kvm_pit_channel_state {
                try SavedFields.decode(channels[index], "pit-channel", kvm_pit_channel_state(), Self.channel)
            }
            timer.channels = (try channel(0), try channel(1), try channel(2))
            timer.flags = try record.integer("timerFlags")
        }
    }
#endif
