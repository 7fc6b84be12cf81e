/// CSR addresses (Privileged Architecture 2.2). Bits 9:8 give the least privilege, bits 11:10 are 3 where read-only.
package enum CSR {
    package static let fflags = 0x001
    package static let frm = 0x002
    package static let fcsr = 0x003
    package static let sstatus = 0x100
    package static let sie = 0x104
    package static let stvec = 0x105
    package static let scounteren = 0x106
    package static let senvcfg = 0x10A
    package static let sscratch = 0x140
    package static let sepc = 0x141
    package static let scause = 0x142
    package static let stval = 0x143
    package static let sip = 0x144
    package static let stimecmp = 0x14D
    package static let satp = 0x180
    package static let mstatus = 0x300
    package static let misa = 0x301
    package static let medeleg = 0x302
    package static let mideleg = 0x303
    package static let mie = 0x304
    package static let mtvec = 0x305
    package static let mcounteren = 0x306
    package static let menvcfg = 0x30A
    package static let mcountinhibit = 0x320
    package static let mhpmevents = 0x323...0x33F
    package static let mscratch = 0x340
    package static let mepc = 0x341
    package static let mcause = 0x342
    package static let mtval = 0x343
    package static let mip = 0x344
    package static let pmpcfg0 = 0x3A0
    package static let pmpcfg2 = 0x3A2
    package static let pmpaddr = 0x3B0...0x3BF
    package static let mcycle = 0xB00
    package static let minstret = 0xB02
    package static let mhpmcounters = 0xB03...0xB1F
    package static let cycle = 0xC00
    package static let time = 0xC01
    package static let instret = 0xC02
    package static let hpmcounters = 0xC03...0xC1F
    package static let mvendorid = 0xF11
    package static let marchid = 0xF12
    package static let mimpid = 0xF13
    package static let mhartid = 0xF14
    package static let mconfigptr = 0xF15

    /// Whether a write may change how instructions are fetched: satp, and all that only M-mode can write.
    static func changesFetch(_ number: Int) -> Bool { number == satp || number >> 8 & 3 == 3 }
}
