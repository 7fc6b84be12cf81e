import GuestToolchain
import Testing

@testable import RISCV
@testable import TranslationRuntime

/// What programs of several pages have in common: their result, and two address spaces.
enum PagedProgram {
    /// Runs a program until it jumps to `finish`.
    ///
    /// - Parameter tail: behind the first 32 KiB.
    /// - Returns: what it leaves in s1, and what the translator has done, if there is one.
    static func run(
        _ program: String, tail: String = "", _ runner: AerieRunner
    ) throws -> (result: UInt64, counts: TranslationCounts?) {
        let image = try Toolchain.assemble(program + finish + tail, at: Toolchain.base)
        let (outcome, counts) = try runner.runCounting(image, harts: 1, memory: 1 << 20, dump: 0x8000..<0x8008)
        #expect(outcome.end == .exit(0))
        return (outcome.memory.reversed().reduce(0) { $0 << 8 | UInt64($1) }, counts)
    }

    private static let finish = """

            .option norvc
        finish:
            lui t0, 0x80008
            slli t0, t0, 32
            srli t0, t0, 32
            sd s1, 0(t0)
            li t1, 0x100000
            li t2, 0x5555
            sw t2, 0(t1)
        1:  j 1b
            .org 0x8000
            .dword 0

        """

    // MARK: Code that changes

    /// For a program that changes an instruction at `place` again and again, whose address s2 is from here on: s4 is what is there, and s5 has the
    /// bits in which the other one differs. `storeOther` changes it.
    static let loadBoth = """
            la s3, one
            lw s4, 0(s3)
            la t0, two
            lw s5, 0(t0)
            xor s5, s5, s4
            la s2, place
        """

    static let storeOther = """
            xor s4, s4, s5
            sw s4, 0(s2)
            fence.i
        """

    /// The two instructions, behind a jump.
    static let both = """
        one:
            addi s1, s1, 1
        two:
            addi s1, s1, 100
        """

    // MARK: Address spaces

    /// Goes to `supervisor`, in S-mode and in the space of `rootA`: s4 and s5 are the values of satp for that and for `rootB`.
    static let enterSupervisor = """
            li t0, -1
            csrw pmpaddr0, t0
            li t0, 0x1F
            csrw pmpcfg0, t0
            li t0, 0x1800
            csrc mstatus, t0
            li t0, 0x800
            csrs mstatus, t0
            la t0, supervisor
            csrw mepc, t0
            li s4, 0x8000100000000000
            la t0, rootA
            srli t0, t0, 12
            or s4, s4, t0
            li s5, 0x8000200000000000
            la t0, rootB
            srli t0, t0, 12
            or s5, s5, t0
            csrw satp, s4
            sfence.vma
            mret

        """

    /// Makes a space's tables of three levels. It shows pages at 0x40000000, whose entries begin 8192 bytes behind the root, and memory and devices
    /// at their own addresses.
    ///
    /// - Parameters:
    ///   - name: of the root, one of those in `room`.
    ///   - pages: names of pages.
    static func tables(_ name: String, pages: String...) -> String {
        """
            la t0, \(name)
            srli t1, t0, 12
            slli t1, t1, 10
            li t2, 1024
            add t1, t1, t2
            ori t1, t1, 1
            sd t1, 8(t0)
            li t2, 0xCF
            sd t2, 0(t0)
            li t2, 0x200000CF
            sd t2, 16(t0)
            li t3, 4096
            add t0, t0, t3
            addi t1, t1, 1024
            sd t1, 0(t0)
            add t0, t0, t3

        """ + pages.enumerated().map { entry($1, at: $0) }.joined()
    }

    private static func entry(_ page: String, at index: Int) -> String {
        """
            la t1, \(page)
            srli t1, t1, 12
            slli t1, t1, 10
            ori t1, t1, 0xCB
            sd t1, \(8 * index)(t0)

        """
    }

    /// Room for the tables.
    static let room = """
            .balign 4096
        rootA:
            .skip 12288
        rootB:
            .skip 12288

        """
}
