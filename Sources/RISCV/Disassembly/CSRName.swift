extension CSR {
    /// The standard's name of a CSR that a hart has; nil for other numbers.
    package static func name(of number: Int) -> String? {
        switch number {
        case hpmcounters: "hpmcounter\(number - cycle)"
        case mhpmcounters: "mhpmcounter\(number - mcycle)"
        case mhpmevents: "mhpmevent\(number - mcountinhibit)"
        case pmpaddr: "pmpaddr\(number - pmpaddr.lowerBound)"
        default: names[number]
        }
    }

    private static let names: [Int: String] = [
        fflags: "fflags", frm: "frm", fcsr: "fcsr",
        sstatus: "sstatus", sie: "sie", stvec: "stvec", scounteren: "scounteren", senvcfg: "senvcfg",
        sscratch: "sscratch", sepc: "sepc", scause: "scause", stval: "stval", sip: "sip", stimecmp: "stimecmp",
        satp: "satp",
        mstatus: "mstatus", misa: "misa", medeleg: "medeleg", mideleg: "mideleg", mie: "mie", mtvec: "mtvec",
        mcounteren: "mcounteren", menvcfg: "menvcfg", mcountinhibit: "mcountinhibit",
        mscratch: "mscratch", mepc: "mepc", mcause: "mcause", mtval: "mtval", mip: "mip",
        pmpcfg0: "pmpcfg0", pmpcfg2: "pmpcfg2", mcycle: "mcycle", minstret: "minstret",
        cycle: "cycle", time: "time", instret: "instret",
        mvendorid: "mvendorid", marchid: "marchid", mimpid: "mimpid", mhartid: "mhartid", mconfigptr: "mconfigptr",
    ]
}
