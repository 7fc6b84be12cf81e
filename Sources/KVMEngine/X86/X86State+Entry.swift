#if arch(x86_64)
    internal import CKVM

    extension X86State {
        // Types of segment descriptors with the accessed bit set, as after a load (Intel SDM, volume 3, section 3.4.5.1).
        private static let code: UInt8 = 0xB
        private static let data: UInt8 = 0x3
        private static let busyTaskState: UInt8 = 0xB
        private static let codeSelector: UInt16 = 0x10
        private static let dataSelector: UInt16 = 0x18

        private static func flat(type: UInt8, selector: UInt16, is64Bit: Bool) -> kvm_segment {
            var segment = kvm_segment()
            segment.limit = 0xFFFF_FFFF
            segment.selector = selector
            segment.type = type
            segment.present = 1
            segment.s = 1
            segment.g = 1
            segment.l = is64Bit ? 1 : 0
            segment.db = is64Bit ? 0 : 1
            return segment
        }

        private mutating func setSegments(is64Bit: Bool, descriptorTable: UInt64) {
            specialRegisters.cs = Self.flat(type: Self.code, selector: Self.codeSelector, is64Bit: is64Bit)
            let data = Self.flat(type: Self.data, selector: Self.dataSelector, is64Bit: false)
            specialRegisters.ds = data
            specialRegisters.es = data
            specialRegisters.fs = data
            specialRegisters.gs = data
            specialRegisters.ss = data
            // Entry to the guest needs a valid task register; nothing uses it before the guest loads its own.
            specialRegisters.tr = kvm_segment()
            specialRegisters.tr.type = Self.busyTaskState
            specialRegisters.tr.present = 1
            specialRegisters.tr.limit = 0x67
            specialRegisters.ldt = kvm_segment()
            specialRegisters.ldt.unusable = 1
            specialRegisters.gdt.base = descriptorTable
            specialRegisters.gdt.limit = 0x1F
            specialRegisters.idt.base = 0
            specialRegisters.idt.limit = 0
        }

        /// Sets the entry in protected mode without paging, as PVH requires: flat segments, interrupts off.
        ///
        /// - Parameter descriptorTable: guest-physical address of a GDT with four entries: null, null, code, data.
        package mutating func enterProtectedMode(at entry: UInt64, rbx: UInt64, descriptorTable: UInt64) {
            setSegments(is64Bit: false, descriptorTable: descriptorTable)
            // PE and ET.
            specialRegisters.cr0 = 0x11
            registers.rip = entry
            registers.rbx = rbx
            registers.rflags = 2
            mpState = UInt32(KVM_MP_STATE_RUNNABLE)
        }

        /// Sets the entry in 64-bit mode, as Linux's 64-bit boot protocol requires: flat segments, interrupts off.
        ///
        /// - Parameters:
        ///   - pageTable: guest-physical address of a PML4.
        ///   - descriptorTable: as in `enterProtectedMode`.
        package mutating func enterLongMode(
            at entry: UInt64, rsi: UInt64, pageTable: UInt64, descriptorTable: UInt64
        ) {
            setSegments(is64Bit: true, descriptorTable: descriptorTable)
            // PG, PE, ET; PAE; LMA and LME.
            specialRegisters.cr0 = 0x8000_0011
            specialRegisters.cr4 = 0x20
            specialRegisters.cr3 = pageTable
            specialRegisters.efer = 0x500
            registers.rip = entry
            registers.rsi = rsi
            registers.rflags = 2
            mpState = UInt32(KVM_MP_STATE_RUNNABLE)
        }
    }
#endif
