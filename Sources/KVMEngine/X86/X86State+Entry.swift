#if arch(x86_64)
    internal import CKVM

    extension X86State {
        // Types of segment descriptors (Intel SDM, volume 3, section 3.4.5.1): accessed already, as after a load.
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
            special.cs = Self.flat(type: Self.code, selector: Self.codeSelector, is64Bit: is64Bit)
            let data = Self.flat(type: Self.data, selector: Self.dataSelector, is64Bit: false)
            special.ds = data
            special.es = data
            special.fs = data
            special.gs = data
            special.ss = data
            // The processor wants a task register; nothing uses it before the guest loads its own.
            special.tr = kvm_segment()
            special.tr.type = Self.busyTaskState
            special.tr.present = 1
            special.tr.limit = 0x67
            special.ldt = kvm_segment()
            special.ldt.unusable = 1
            special.gdt.base = descriptorTable
            special.gdt.limit = 0x1F
            special.idt.base = 0
            special.idt.limit = 0
        }

        /// Starts in real mode, anywhere below 1 MiB.
        package mutating func enterRealMode(at address: UInt16) {
            special.cs.base = 0
            special.cs.selector = 0
            registers.rip = UInt64(address)
            activity = UInt32(KVM_MP_STATE_RUNNABLE)
        }

        /// Starts in protected mode without paging, as PVH demands: flat segments, interrupts off.
        ///
        /// - Parameter descriptorTable: where a global descriptor table of four entries lies: none, none, code, data.
        package mutating func enterProtectedMode(at entry: UInt64, rbx: UInt64, descriptorTable: UInt64) {
            setSegments(is64Bit: false, descriptorTable: descriptorTable)
            // PE and ET.
            special.cr0 = 0x11
            registers.rip = entry
            registers.rbx = rbx
            registers.rflags = 2
            activity = UInt32(KVM_MP_STATE_RUNNABLE)
        }

        /// Starts in 64-bit mode, as Linux' 64-bit boot protocol demands: flat segments, interrupts off.
        ///
        /// - Parameter pageTable: where a page map of level 4 lies.
        package mutating func enterLongMode(
            at entry: UInt64, rsi: UInt64, pageTable: UInt64, descriptorTable: UInt64
        ) {
            setSegments(is64Bit: true, descriptorTable: descriptorTable)
            // PG, PE, ET; PAE; LMA and LME.
            special.cr0 = 0x8000_0011
            special.cr4 = 0x20
            special.cr3 = pageTable
            special.efer = 0x500
            registers.rip = entry
            registers.rsi = rsi
            registers.rflags = 2
            activity = UInt32(KVM_MP_STATE_RUNNABLE)
        }
    }
#endif
