#if arch(x86_64)
    /// Indices of model-specific registers (Intel SDM, volume 4).
    package enum X86MSR {
        package static let timeStampCounter: UInt32 = 0x10
        static let tscDeadline: UInt32 = 0x6E0

        /// The MTRRs, which the kernel stores but does not list.
        private static let mtrrs: [UInt32] =
            Array(0x200...0x20F) + [0x250, 0x258, 0x259] + Array(0x268...0x26F) + [0x2FF]

        /// The MSRs that may be part of a vCPU's state, in the order of writing: the TSC first, because other MSRs depend on
        /// it, and the timer's deadline last, because the kernel compares it with the TSC.
        static func candidates(_ listed: [UInt32]) -> [UInt32] {
            let others = (listed + mtrrs).filter { $0 != timeStampCounter && $0 != tscDeadline }
            return [timeStampCounter] + others + [tscDeadline]
        }
    }
#endif
