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

        /// The visible bits of a leaf; nil for an unlisted leaf. Of feature flags, those that `CPUIDFeature` lists are visible.
        static func mask(function: UInt32, index: UInt32) -> Mask? {
            switch function {
            // Vendor and brand strings; caches; KVM's signature.
            case 0, 2, 4, 0x4000_0000, 0x8000_0000, 0x8000_0002...0x8000_0006: .all
            // XCR0: x87, SSE, AVX, AVX-512 (three bits), protection keys. MPX is hidden.
            case 0xD where index == 0: Mask(eax: 0x2E7, ebx: .max, ecx: .max)
            case 0xD where [2, 5, 6, 7, 9].contains(index): .all
            // Address widths; WBNOINVD, IBPB, IBRS, STIBP, SSBD.
            case 0x8000_0008: Mask(eax: .max, ebx: 1 << 9 | 1 << 12 | 1 << 14 | 1 << 15 | 1 << 24)
            // The processor's signature, and what `CPUIDModel.leaves` sets.
            case 1: features(1, index).map { Mask(eax: .max, ebx: 0xFFFF, ecx: $0.ecx, edx: $0.edx) }
            default: features(function, index)
            }
        }

        /// Whether a leaf's bits are feature flags.
        static func holdsFeatures(_ function: UInt32, _ index: UInt32) -> Bool { features(function, index) != nil }

        /// The listed flags of a leaf; nil for a leaf without any.
        private static func features(_ function: UInt32, _ index: UInt32) -> Mask? {
            let listed = CPUIDFeature.all.filter { $0.function == function && $0.index == index }
            guard !listed.isEmpty else { return nil }
            func bits(_ register: CPUIDFeature.Register) -> UInt32 {
                listed.reduce(0) { $0 | ($1.register == register ? $1.mask : 0) }
            }
            return Mask(eax: bits(.eax), ebx: bits(.ebx), ecx: bits(.ecx), edx: bits(.edx))
        }
    }
#endif
