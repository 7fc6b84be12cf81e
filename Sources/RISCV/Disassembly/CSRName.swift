extension CSR {
    /// The standard's name of a CSR that a hart has; nil for other numbers.
    package static func name(of number: Int) -> String? {
        switch number {
        case hpmcounters: "hpmcounter\(number - cycle)"
        case mhpmcounters: "mhpmcounter\(number - mcycle)"
        case mhpmevents: "mhpmevent\(number - mcountinhibit)"
        case sstateen: "sstateen\(number - sstateen.lowerBound)"
        case hstateen: "hstateen\(number - hstateen.lowerBound)"
        case mstateen: "mstateen\(number - mstateen.lowerBound)"
        case pmpaddr: "pmpaddr\(number - pmpaddr.lowerBound)"
        default: names[number]
        }
    }

    private static let names: [Int: String] = [
        fflags: "fflags", frm: "frm", fcsr: "fcsr",
        sstatus: "sstatus", sie: "sie", stvec: "stvec", scounteren: "scounteren", senvcfg: "senvcfg",
        sscratch: "sscratch", sepc: "sepc", scause: "scause", stval: "stval", sip: "sip", stimecmp: "stimecmp",
        siselect: "siselect", sireg: "sireg", stopei: "stopei", stopi: "stopi", satp: "satp",
        vsstatus: "vsstatus", vsie: "vsie", vstvec: "vstvec", vsscratch: "vsscratch", vsepc: "vsepc",
        vscause: "vscause", vstval: "vstval", vsip: "vsip", vstimecmp: "vstimecmp", vsatp: "vsatp",
        vsiselect: "vsiselect", vsireg: "vsireg", vstopei: "vstopei", vstopi: "vstopi",
        hstatus: "hstatus", hedeleg: "hedeleg", hideleg: "hideleg", hie: "hie", htimedelta: "htimedelta",
        hcounteren: "hcounteren", hgeie: "hgeie", henvcfg: "henvcfg", htval: "htval", hip: "hip", hvip: "hvip",
        htinst: "htinst", hgatp: "hgatp", hgeip: "hgeip",
        hvien: "hvien", hvictl: "hvictl", hviprio1: "hviprio1", hviprio2: "hviprio2",
        mstatus: "mstatus", misa: "misa", medeleg: "medeleg", mideleg: "mideleg", mie: "mie", mtvec: "mtvec",
        mcounteren: "mcounteren", menvcfg: "menvcfg", mcountinhibit: "mcountinhibit",
        mscratch: "mscratch", mepc: "mepc", mcause: "mcause", mtval: "mtval", mip: "mip", mtinst: "mtinst",
        mtval2: "mtval2", mvien: "mvien", mvip: "mvip", miselect: "miselect", mireg: "mireg", mtopei: "mtopei",
        mtopi: "mtopi",
        pmpcfg0: "pmpcfg0", pmpcfg2: "pmpcfg2", mcycle: "mcycle", minstret: "minstret",
        cycle: "cycle", time: "time", instret: "instret",
        mvendorid: "mvendorid", marchid: "marchid", mimpid: "mimpid", mhartid: "mhartid", mconfigptr: "mconfigptr",
    ]
}
