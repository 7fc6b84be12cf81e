#if arch(x86_64)
    package import CKVM

    /// The whole state of a vCPU between two instructions, in KVM's structures.
    package struct X86State: Sendable {
        package var registers = kvm_regs()
        package var specialRegisters = kvm_sregs()
        /// The XSAVE area in its standard format: x87, SSE, AVX and later states (Intel SDM, volume 1, chapter 13).
        package var xsave: [UInt8] = []
        package var xcrs = kvm_xcrs()
        package var debugRegisters = kvm_debugregs()
        package var events = kvm_vcpu_events()
        /// The multiprocessing state: KVM_MP_STATE_RUNNABLE and so on.
        package var mpState: UInt32 = 0
        /// The local APIC's registers: the first 1024 bytes of its page (Intel SDM, volume 3, table 11-1).
        package var localAPIC: [UInt8] = []
        /// Model-specific registers in the order of writing.
        package var msrs: [MSR] = []

        /// A model-specific register and its value.
        package struct MSR: Equatable, Sendable {
            package let index: UInt32
            package var value: UInt64

            package init(index: UInt32, value: UInt64) {
                self.index = index
                self.value = value
            }
        }

        static let localAPICSize = 1024
        /// Bytes of KVM_GET_XSAVE. Features with larger areas are not in the CPUID model.
        static let xsaveSize = 4096
    }
#endif
