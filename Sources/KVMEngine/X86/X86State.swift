#if arch(x86_64)
    package import CKVM

    /// Everything that a vCPU is between two instructions, in the kernel's structures.
    package struct X86State: Sendable {
        package var registers = kvm_regs()
        package var special = kvm_sregs()
        /// x87, SSE, AVX and so on: an XSAVE area in its standard format (Intel SDM, volume 1, chapter 13).
        package var extended: [UInt8] = []
        package var control = kvm_xcrs()
        package var debug = kvm_debugregs()
        package var events = kvm_vcpu_events()
        /// KVM_MP_STATE_RUNNABLE and so on.
        package var activity: UInt32 = 0
        /// The local APIC's registers: the first 1024 bytes of its page (Intel SDM, volume 3, table 11-1).
        package var localAPIC: [UInt8] = []
        /// Model-specific registers in the order in which they are set.
        package var modelSpecific: [ModelSpecificRegister] = []

        package struct ModelSpecificRegister: Equatable, Sendable {
            package let index: UInt32
            package var value: UInt64

            package init(index: UInt32, value: UInt64) {
                self.index = index
                self.value = value
            }
        }

        static let localAPICSize = 1024
        /// Of the kernel's KVM_GET_XSAVE; larger areas belong to features that our vCPUs do not have.
        static let extendedSize = 4096
    }
#endif
