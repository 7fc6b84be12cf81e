/// What executable formats call a guest's instruction set.
package struct Architecture: Equatable, Sendable {
    /// As users know it, for example `riscv64`.
    package let name: String
    /// `e_machine` of a 64-bit little-endian ELF file.
    package let elfMachine: UInt16
    /// The machine number of a PE header (Microsoft PE format, "Machine Types").
    package let peMachine: UInt16

    package static let riscv64 = Architecture(name: "riscv64", elfMachine: 243, peMachine: 0x5064)
    package static let x86_64 = Architecture(name: "x86_64", elfMachine: 62, peMachine: 0x8664)
    package static let arm64 = Architecture(name: "aarch64", elfMachine: 183, peMachine: 0xAA64)

    static let known = [riscv64, x86_64, arm64]

    /// The name of an ELF machine number, for messages.
    static func elfMachineName(_ machine: UInt16) -> String {
        if let architecture = known.first(where: { $0.elfMachine == machine }) { return architecture.name }
        return switch machine {
        case 2, 43: "SPARC"
        case 3: "i386"
        case 8: "MIPS"
        case 20: "PowerPC"
        case 21: "ppc64"
        case 22: "s390x"
        case 40: "32-bit ARM"
        case 258: "loongarch64"
        default: "of machine number \(machine)"
        }
    }

    /// The name of a PE machine number, for messages.
    static func peMachineName(_ machine: UInt16) -> String {
        if let architecture = known.first(where: { $0.peMachine == machine }) { return architecture.name }
        return switch machine {
        case 0x14C: "i386"
        case 0x1C0, 0x1C2, 0x1C4: "32-bit ARM"
        case 0x5032: "32-bit RISC-V"
        case 0x6264: "loongarch64"
        default: "of machine number \(hexadecimal(machine))"
        }
    }
}

/// Kernel formats that are recognized only to say what was found.
enum ForeignKernel {
    /// What `header`, the beginning of a file, is for another architecture than `architecture`; nil when nothing is known.
    static func name(_ header: [UInt8], for architecture: Architecture) -> String? {
        // Documentation/arch/x86/boot.rst: the boot sector's signature, then the setup header's.
        if architecture != .x86_64, header.has([0x55, 0xAA], at: 0x1FE), header.has(Array("HdrS".utf8), at: 0x202) {
            return "an x86 bzImage"
        }
        // Documentation/arch/arm64/booting.rst.
        if architecture != .arm64, header.has(Array("ARM\u{64}".utf8), at: 0x38) { return "an arm64 Image" }
        if architecture != .riscv64, header.has(Array("RSC\u{5}".utf8), at: 0x38) { return "a RISC-V Image" }
        if let machine = peMachine(header), machine != architecture.peMachine {
            return "an EFI program for \(Architecture.peMachineName(machine))"
        }
        return nil
    }

    /// The machine number of a PE executable; nil when it is none.
    static func peMachine(_ header: [UInt8]) -> UInt16? {
        guard header.has(Array("MZ".utf8), at: 0), let offset = header.littleEndian(at: 0x3C, as: UInt32.self),
            header.has(Array("PE\0\0".utf8), at: Int(offset))
        else { return nil }
        return header.littleEndian(at: Int(offset) + 4)
    }
}
