#if arch(x86_64)
    /// A feature flag of CPUID with the name that Linux gives it in /proc/cpuinfo.
    struct CPUIDFeature: Equatable, Sendable {
        enum Register: Sendable {
            case eax, ebx, ecx, edx
        }

        /// The leaf (EAX), and the subleaf (ECX).
        let function: UInt32
        let index: UInt32
        let register: Register
        let bit: Int
        let name: String

        /// The flags that a guest may see. Hidden are, among others, the performance counters of leaf 6 (APERF, MPERF), which belong to the
        /// host, and XSAVES with the supervisor states.
        static let all: [CPUIDFeature] =
            named(
                1, .ecx,
                "0 pni 1 pclmulqdq 9 ssse3 12 fma 13 cx16 17 pcid 19 sse4_1 20 sse4_2 21 x2apic 22 movbe 23 popcnt "
                    + "24 tsc_deadline_timer 25 aes 26 xsave 28 avx 29 f16c 30 rdrand 31 hypervisor")
            + named(
                1, .edx,
                "0 fpu 1 vme 2 de 3 pse 4 tsc 5 msr 6 pae 7 mce 8 cx8 9 apic 11 sep 12 mtrr 13 pge 14 mca 15 cmov 16 pat "
                    + "17 pse36 19 clflush 23 mmx 24 fxsr 25 sse 26 sse2 27 ss")
            + named(6, .eax, "2 arat")
            + named(
                7, .ebx,
                "0 fsgsbase 1 tsc_adjust 3 bmi1 5 avx2 7 smep 8 bmi2 9 erms 10 invpcid 16 avx512f 17 avx512dq 18 rdseed "
                    + "19 adx 20 smap 21 avx512ifma 23 clflushopt 24 clwb 28 avx512cd 29 sha_ni 30 avx512bw 31 avx512vl"
            )
            + named(
                7, .ecx,
                "1 avx512vbmi 2 umip 3 pku 6 avx512_vbmi2 8 gfni 9 vaes 10 vpclmulqdq 11 avx512_vnni 12 avx512_bitalg "
                    + "14 avx512_vpopcntdq 16 la57 22 rdpid")
            + named(
                7, .edx,
                "4 fsrm 10 md_clear 14 serialize 26 spec_ctrl 27 intel_stibp 28 flush_l1d 29 arch_capabilities 31 spec_ctrl_ssbd"
            )
            + named(0xD, index: 1, .eax, "0 xsaveopt 1 xsavec 2 xgetbv1")
            + named(
                0x4000_0001, .eax,
                "0 kvmclock_old 1 kvm_nopiodelay 3 kvmclock 5 kvm_steal_time 6 kvm_pv_eoi 7 kvm_pv_unhalt 9 kvm_pv_tlb_flush "
                    + "11 kvm_pv_ipi 24 kvmclock_stable")
            + named(0x8000_0001, .ecx, "0 lahf_lm 5 abm 8 3dnowprefetch")
            + named(0x8000_0001, .edx, "11 syscall 20 nx 26 pdpe1gb 27 rdtscp 29 lm")
            + named(0x8000_0007, .edx, "8 constant_tsc")

        /// - Parameter list: bits with their names.
        private static func named(
            _ function: UInt32, index: UInt32 = 0, _ register: Register, _ list: String
        ) -> [CPUIDFeature] {
            let words = list.split(separator: " ")
            return stride(from: 0, to: words.count, by: 2).map {
                CPUIDFeature(
                    function: function, index: index, register: register, bit: Int(words[$0])!,
                    name: String(words[$0 + 1]))
            }
        }

        var mask: UInt32 { 1 << UInt32(bit) }

        /// Whether leaves have it.
        func isIn(_ leaves: [CPUIDModel.Leaf]) -> Bool {
            guard let leaf = leaves.first(where: { $0.function == function && $0.index == index }) else { return false }
            return leaf[register] & mask != 0
        }
    }

    extension CPUIDModel.Leaf {
        subscript(_ register: CPUIDFeature.Register) -> UInt32 {
            get {
                switch register {
                case .eax: eax
                case .ebx: ebx
                case .ecx: ecx
                case .edx: edx
                }
            }
            set {
                switch register {
                case .eax: eax = newValue
                case .ebx: ebx = newValue
                case .ecx: ecx = newValue
                case .edx: edx = newValue
                }
            }
        }
    }
#endif
