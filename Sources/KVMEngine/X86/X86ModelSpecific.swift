#if arch(x86_64)
    /// Numbers of model-specific registers (Intel SDM, volume 4).
    package enum X86ModelSpecific {
        package static let timeStampCounter: UInt32 = 0x10
        static let timerDeadline: UInt32 = 0x6E0

        /// Memory types by range, which the kernel keeps but does not list.
        private static let memoryTypes: [UInt32] =
            Array(0x200...0x20F) + [0x250, 0x258, 0x259] + Array(0x268...0x26F) + [0x2FF]

        /// What may be part of a vCPU's state: the clock first, because others count from it, and the deadline of the timer
        /// last, because it is compared with the clock.
        static func candidates(_ listed: [UInt32]) -> [UInt32] {
            let others = (listed + memoryTypes).filter { $0 != timeStampCounter && $0 != timerDeadline }
            return [timeStampCounter] + others + [timerDeadline]
        }
    }
#endif
