#if arch(x86_64)
    /// A level of the x86-64 architecture (System V ABI, AMD64 supplement, section 3.1.1): features that a processor has at least.
    ///
    /// A guest at a level sees these features, what every 64-bit system needs, and what KVM provides on each processor. It can move to every host
    /// whose processor has the level.
    package enum X86Level: Int, CaseIterable, Sendable {
        case v1 = 1, v2, v3, v4

        /// The features that the processor must have, and the guest sees.
        var features: [CPUIDFeature] {
            let names = Self.allCases.filter { $0.rawValue <= rawValue }.flatMap(\.added)
            return CPUIDFeature.all.filter { names.contains($0.name) }
        }

        /// Those that a guest may see, where the host's KVM has them.
        private static let provided: Set = ["x2apic", "tsc_deadline_timer", "hypervisor", "arat"]

        private var added: [String] {
            switch self {
            case .v1:
                // Without the ones for systems (from de on), there is no 64-bit kernel.
                Self.names(
                    "cmov cx8 fpu fxsr mmx syscall sse sse2 lm nx vme de pse tsc msr pae mce apic sep mtrr pge mca pat pse36 clflush"
                )
            case .v2: Self.names("cx16 lahf_lm popcnt pni sse4_1 sse4_2 ssse3")
            case .v3: Self.names("avx avx2 bmi1 bmi2 f16c fma abm movbe xsave")
            case .v4: Self.names("avx512f avx512bw avx512cd avx512dq avx512vl")
            }
        }

        private static func names(_ list: String) -> [String] { list.split(separator: " ").map(String.init) }

        /// The states of XCR0 (Intel SDM, volume 1, 13.1): x87 and SSE, AVX, and the three of AVX-512.
        private var extendedStates: UInt32 {
            switch self {
            case .v1, .v2: 0
            case .v3: 0x7
            case .v4: 0xE7
            }
        }

        /// Bytes of an XSAVE area with these states: as large as the end of the last one in the standard form.
        private var extendedStateSize: UInt32 { self == .v4 ? 2688 : 832 }

        /// Hides what is not of the level.
        func limit(_ leaves: [CPUIDModel.Leaf]) -> [CPUIDModel.Leaf] {
            let visible = Set(features.map(\.name)).union(Self.provided)
            return leaves.compactMap { leaf in
                if leaf.function == 0xD { return limitExtendedState(leaf) }
                var leaf = leaf
                // KVM's own features do not depend on the processor.
                if leaf.function != 0x4000_0001 {
                    for feature in CPUIDFeature.all
                    where feature.function == leaf.function && feature.index == leaf.index
                        && !visible.contains(feature.name)
                    {
                        leaf[feature.register] &= ~feature.mask
                    }
                }
                if leaf.function == 0x8000_0008 { leaf.ebx = 0 }
                return leaf
            }
        }

        private func limitExtendedState(_ leaf: CPUIDModel.Leaf) -> CPUIDModel.Leaf? {
            var leaf = leaf
            switch leaf.index {
            case 0 where extendedStates != 0:
                leaf.eax &= extendedStates
                leaf.ecx = extendedStateSize
            case 1 where extendedStates != 0: leaf.eax = 0
            case 2... where extendedStates >> leaf.index & 1 != 0: break
            default: return nil
            }
            return leaf
        }
    }
#endif
