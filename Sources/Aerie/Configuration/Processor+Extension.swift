internal import RISCV

extension Processor {
    /// An extension of RISC-V that the harts of a riscv64 guest have or lack, by its name in the standard (Unprivileged Architecture, Privileged
    /// Architecture; RISC-V Profiles for Zkt).
    ///
    /// Without an extension its instructions are illegal and its registers are absent or read-only zero. Instructions that are hints do nothing
    /// then, with or without the extension (Zicbop, Zihintpause).
    public enum Extension: String, CaseIterable, Codable, Sendable {
        /// Cache-block management: `cbo.clean`, `cbo.flush`, `cbo.inval`.
        case zicbom
        /// Cache-block prefetches, which are hints and do nothing here.
        case zicbop
        /// Cache-block zero: `cbo.zero`.
        case zicboz
        /// The counters `cycle`, `time` and `instret`. Linux does not start without them.
        case zicntr
        /// Conditional zero: `czero.eqz` and `czero.nez`.
        case zicond
        /// The hint `pause`.
        case zihintpause
        /// The counters `hpmcounter3` to `hpmcounter31`, which are zero here.
        case zihpm
        /// Waits on a reservation: `wrs.nto` and `wrs.sto`.
        case zawrs
        /// Loads, stores, moves and conversions of half-precision numbers.
        case zfhmin
        /// Address generation: `sh1add` and its like.
        case zba
        /// Basic bit manipulation.
        case zbb
        /// Single-bit instructions.
        case zbs
        /// Data-independent execution latency, as far as the host's processor has it for the instructions that Aerie makes of the guest's. Nothing
        /// but the device tree depends on it.
        case zkt
        /// The supervisor's timer comparison (`stimecmp`). Without it the timer is SBI's.
        case sstc
        /// Hardware that sets A and D bits (`menvcfg.ADUE`). Without it such accesses are page faults, which the device tree names `svade`.
        case svadu
        /// Fine-grained invalidation of translations: `sinval.vma` and its like.
        case svinval
        /// Translations of 64 KiB (bit N of page-table entries).
        case svnapot
        /// Memory types in page-table entries (`menvcfg.PBMTE`).
        case svpbmt
        /// The Advanced Interrupt Architecture at machine level (`mireg`, `mtopei`, `mtopi` and others). Harts have it only with the interrupt
        /// controllers `aia` (`Configuration.interrupts`).
        case smaia
        /// The same at supervisor level, and for guests of guests.
        case ssaia
    }

    /// The extensions, in the order of `Extension.allCases`. The hypervisor's is not among them.
    public var extensions: [Extension] { Extension.allCases.filter { has($0) } }

    /// The extensions in the terms of harts that have these interrupt controllers.
    func hartExtensions(_ interrupts: Configuration.Interrupts) -> ExtensionSet {
        ExtensionSet(
            extensions.compactMap { one in
                RISCV.Extension.allCases.first { $0.name == one.rawValue && interrupts.permit(one) }
            })
    }

    /// The names of all that harts have, as the device tree lists them: in the canonical order of ISA strings (Unprivileged Architecture,
    /// chapter "ISA Extension Naming Conventions").
    func deviceTreeExtensions(_ interrupts: Configuration.Interrupts) -> [String] {
        let names = Self.everyName.filter { name in
            Extension(rawValue: name).map { has($0) && interrupts.permit($0) } ?? (name != "svade" || !has(.svadu))
        }
        return hypervisor ? names + Self.hypervisorNames : names
    }

    /// Those that cannot be switched, but are asked for by name.
    static let fixedNames = ["i", "m", "a", "f", "d", "c", "zicsr", "zifencei"]

    private static let everyName = [
        "i", "m", "a", "f", "d", "c", "zicbom", "zicbop", "zicboz", "zicntr", "zicond", "zicsr", "zifencei",
        "zihintpause", "zihpm", "zawrs", "zfhmin", "zba", "zbb", "zbs", "zkt", "smaia", "ssaia", "sstc", "svade",
        "svadu", "svinval", "svnapot", "svpbmt",
    ]

    /// The hypervisor extension, and what Sha demands beside it (RISC-V Profiles, chapter "RVA23 Profiles").
    private static let hypervisorNames = [
        "h", "sha", "shcounterenw", "shgatpa", "shtvala", "shvsatpa", "shvstvala", "shvstvecd", "smstateen",
        "ssstateen",
    ]
}

extension Processor.Model {
    /// The extensions of the model, among those that can be switched; none for x86_64 guests. Those of the Advanced Interrupt Architecture are in
    /// all of them, because the choice of the interrupt controllers decides.
    var extensions: [Processor.Extension] {
        switch self {
        case .max: Processor.Extension.allCases
        case .rva20: [.zicntr, .smaia, .ssaia]
        case .rva22:
            [
                .zicbom, .zicbop, .zicboz, .zicntr, .zihintpause, .zihpm, .zfhmin, .zba, .zbb, .zbs, .zkt, .svinval,
                .svpbmt, .smaia, .ssaia,
            ]
        case .host, .x86_64_v1, .x86_64_v2, .x86_64_v3, .x86_64_v4: []
        }
    }
}

extension Configuration.Interrupts {
    /// Whether harts with these controllers can have an extension.
    fileprivate func permit(_ one: Processor.Extension) -> Bool { self == .aia || one != .smaia && one != .ssaia }
}
