#if arch(x86_64)
    /// The CPUID bits that a guest may see, leaf by leaf. An unlisted leaf or bit is zero (Intel SDM, volume 2, CPUID; for
    /// leaves from 0x40000000, the kernel's Documentation/virt/kvm/x86/cpuid.rst).
    ///
    /// Not listed: performance counters, thermal and power management, processor trace, AMX, SGX, nested virtualization, and
    /// features newer than this list.
    enum CPUIDBaseline {
        /// The visible bits of a leaf.
        struct Mask {
            var eax: UInt32 = 0
            var ebx: UInt32 = 0
            var ecx: UInt32 = 0
            var edx: UInt32 = 0

            static let all = Mask(eax: .max, ebx: .max, ecx: .max, edx: .max)
        }

        static let highestLeaf: UInt32 = 0xD
        static let highestExtendedLeaf: UInt32 = 0x8000_0008

        /// The visible bits of a leaf; nil for an unlisted leaf.
        static func mask(function: UInt32, index: UInt32) -> Mask? {
            switch function {
            // Vendor and brand strings; caches; KVM's signature.
            case 0, 2, 4, 0x4000_0000, 0x8000_0000, 0x8000_0002...0x8000_0006: .all
            case 1: Mask(eax: .max, ebx: 0xFFFF, ecx: features1C, edx: features1D)
            // ARAT: the local timer runs in every sleep state. APERF and MPERF, which belong to the host, are hidden.
            case 6: Mask(eax: 1 << 2)
            case 7 where index == 0: Mask(ebx: features7B, ecx: features7C, edx: features7D)
            // XCR0: x87, SSE, AVX, AVX-512 (three bits), protection keys. MPX is hidden.
            case 0xD where index == 0: Mask(eax: 0x2E7, ebx: .max, ecx: .max)
            // XSAVEOPT, XSAVEC, XGETBV with ECX = 1. XSAVES and supervisor states are hidden.
            case 0xD where index == 1: Mask(eax: 0x7)
            case 0xD where [2, 5, 6, 7, 9].contains(index): .all
            case 0x4000_0001: Mask(eax: paravirtual)
            case 0x8000_0001: Mask(ecx: 0x121, edx: 0x2C10_0800)
            // Invariant TSC.
            case 0x8000_0007: Mask(edx: 1 << 8)
            // Address widths; WBNOINVD, IBPB, IBRS, STIBP, SSBD.
            case 0x8000_0008: Mask(eax: .max, ebx: 1 << 9 | 1 << 12 | 1 << 14 | 1 << 15 | 1 << 24)
            default: nil
            }
        }

        /// Whether a leaf's bits are feature flags.
        static func holdsFeatures(_ function: UInt32, _ index: UInt32) -> Bool {
            switch function {
            case 1, 6, 7, 0x4000_0001, 0x8000_0001, 0x8000_0007: true
            case 0xD: index == 1
            default: false
            }
        }

        // SSE3, PCLMUL, SSSE3, FMA, CX16, PCID, SSE4.1, SSE4.2, x2APIC, MOVBE, POPCNT, TSC deadline, AES, XSAVE, AVX, F16C,
        // RDRAND, hypervisor.
        private static let features1C: UInt32 =
            bits(0, 1, 9, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 28, 29, 30, 31)
        // FPU, VME, DE, PSE, TSC, MSR, PAE, MCE, CX8, APIC, SEP, MTRR, PGE, MCA, CMOV, PAT, PSE36, CLFSH, MMX, FXSR, SSE,
        // SSE2, SS.
        private static let features1D: UInt32 =
            bits(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 19, 23, 24, 25, 26, 27)
        // FSGSBASE, TSC_ADJUST, BMI1, AVX2, SMEP, BMI2, ERMS, INVPCID, AVX512F, AVX512DQ, RDSEED, ADX, SMAP, IFMA, CLFLUSHOPT,
        // CLWB, AVX512CD, SHA, AVX512BW, AVX512VL.
        private static let features7B: UInt32 =
            bits(0, 1, 3, 5, 7, 8, 9, 10, 16, 17, 18, 19, 20, 21, 23, 24, 28, 29, 30, 31)
        // VBMI, UMIP, PKU, VBMI2, GFNI, VAES, VPCLMULQDQ, VNNI, BITALG, VPOPCNTDQ, LA57, RDPID.
        private static let features7C: UInt32 = bits(1, 2, 3, 6, 8, 9, 10, 11, 12, 14, 16, 22)
        // FSRM, MD_CLEAR, SERIALIZE, IBRS, STIBP, L1D flush, ARCH_CAPABILITIES, SSBD.
        private static let features7D: UInt32 = bits(4, 10, 14, 26, 27, 28, 29, 31)
        // CLOCKSOURCE, NOP_IO_DELAY, CLOCKSOURCE2, STEAL_TIME, PV_EOI, PV_UNHALT, PV_TLB_FLUSH, PV_SEND_IPI,
        // CLOCKSOURCE_STABLE.
        private static let paravirtual: UInt32 = bits(0, 1, 3, 5, 6, 7, 9, 11, 24)

        private static func bits(_ numbers: UInt32...) -> UInt32 { numbers.reduce(0) { $0 | 1 << $1 } }
    }
#endif
