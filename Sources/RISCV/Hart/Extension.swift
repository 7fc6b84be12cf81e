/// A standard extension that a hart has or lacks, as its owner says. Every hart has RV64GC (I, M, A, F, D, C, Zicsr, Zifencei).
///
/// What an extension adds traps on a hart that lacks it, but for hints: the instructions of Zicbop and of Zihintpause are then those of the
/// base instruction set whose encodings they use, which do nothing visible.
package enum Extension: UInt8, CaseIterable, Sendable {
    case zicbom, zicbop, zicboz, zicntr, zicond, zihintpause, zihpm, zawrs, zfhmin, zba, zbb, zbs, zkt
    case sstc, svadu, svinval, svnapot, svpbmt
    case smaia, ssaia

    /// The standard's name in lower case.
    package var name: String { Self.names[Int(rawValue)] }

    private static let names = [
        "zicbom", "zicbop", "zicboz", "zicntr", "zicond", "zihintpause", "zihpm", "zawrs", "zfhmin", "zba", "zbb",
        "zbs",
        "zkt", "sstc", "svadu", "svinval", "svnapot", "svpbmt", "smaia", "ssaia",
    ]
}

/// A set of extensions, one bit for each.
package struct ExtensionSet: Equatable, Sendable {
    /// Bit n stands for the extension whose raw value is n.
    private(set) var bits: UInt32 = 0

    /// Every extension that a hart has by itself. Those of the Advanced Interrupt Architecture need interrupt files beside it.
    package static let all = ExtensionSet(Extension.allCases.filter { !advancedInterrupts.contains($0) })
    package static let advancedInterrupts: [Extension] = [.smaia, .ssaia]

    /// What harts had before there was a choice.
    static let ofOldHarts = ExtensionSet(
        Extension.allCases.filter { ![.zfhmin, .zicbop, .zkt, .smaia, .ssaia].contains($0) })

    package init(_ extensions: some Sequence<Extension>) {
        for one in extensions { bits |= 1 << UInt32(one.rawValue) }
    }

    @inline(__always)
    func contains(_ one: Extension) -> Bool { bits >> UInt32(one.rawValue) & 1 == 1 }

    /// The names of the members, or of the other extensions, with spaces between them.
    func names(ofMembers areMembers: Bool) -> String {
        Extension.allCases.filter { contains($0) == areMembers }.map(\.name).joined(separator: " ")
    }
}

extension ExtensionSet {
    // What registers hold without an extension (Privileged Architecture 3.1.18, 10.1.10 and 3.1.11): bits of its own are read-only zero.

    /// The bits of menvcfg and henvcfg that software can change.
    var machineEnvironment: UInt64 {
        supervisorEnvironment | (contains(.svadu) ? Environment.adue : 0) | (contains(.svpbmt) ? Environment.pbmte : 0)
            | (contains(.sstc) ? Environment.stce : 0)
    }

    /// The bits of senvcfg that software can change.
    var supervisorEnvironment: UInt64 {
        Environment.fiom | (contains(.zicbom) ? Environment.cbie | Environment.cbcfe : 0)
            | (contains(.zicboz) ? Environment.cbze : 0)
    }

    /// The bits of mcounteren, scounteren and hcounteren that software can change: those of the counters that there are. Bit TM opens stimecmp
    /// as well (Sstc).
    var counters: UInt64 {
        (contains(.zicntr) ? 7 : contains(.sstc) ? 2 : 0) | (contains(.zihpm) ? 0xFFFF_FFF8 : 0)
    }

    /// Whether a CSR belongs to an extension outside the set. M-mode's counters are a part of every hart.
    @inline(__always)
    func lacksCSR(_ number: Int) -> Bool {
        let withCSRs: UInt32 =
            1 << UInt32(Extension.zicntr.rawValue) | 1 << UInt32(Extension.zihpm.rawValue)
            | 1 << UInt32(Extension.sstc.rawValue)
        return bits & withCSRs != withCSRs && lacks(number)
    }

    private func lacks(_ number: Int) -> Bool {
        switch number {
        case CSR.cycle, CSR.time, CSR.instret: !contains(.zicntr)
        case CSR.hpmcounters: !contains(.zihpm)
        case CSR.stimecmp, CSR.vstimecmp: !contains(.sstc)
        default: false
        }
    }
}
