import Foundation
import GuestToolchain
import Testing

@testable import GuestImages

/// Relocatable files of clang, whose assembler keeps all labels.
@Suite struct ModuleSymbolsTests {
    private let scratch = TemporaryDirectory()

    private func assemble(_ text: String) throws -> [UInt8] {
        let source = try scratch.file("module.s", Data(text.utf8))
        let object = scratch.path("module.o")
        try Toolchain.run(
            "clang", ["--target=riscv64-none-elf", "-march=rv64gc", "-Wa,-L", "-c", "-o", object, source])
        return [UInt8](try Data(contentsOf: URL(filePath: object)))
    }

    /// A loop over a word of data, with labels that relocations name and 200 that nothing does.
    private static let program = """
        .globl _start
        .globl data
        _start:
        .Lhigh: auipc a0, %pcrel_hi(data)
            addi a0, a0, %pcrel_lo(.Lhigh)
        again:
            ld a1, 0(a0)
            bnez a1, again
            call other
        .Lend:
            ret
        other: ret
        .data
        data: .dword .Lend
            .word .Lend - .Lhigh
        """ + (0..<200).map { "\n.L\($0): .word \($0)" }.joined()

    private func linked(_ object: [UInt8]) throws -> [UInt8] {
        let file = try scratch.file("input.o", object)
        let (program, image) = (scratch.path("program"), scratch.path("image"))
        try Toolchain.run("ld.lld", ["-m", "elf64lriscv", "-Ttext=0x10000", "-Tdata=0x20000", "-o", program, file])
        try Toolchain.run("llvm-objcopy", ["-O", "binary", program, image])
        return [UInt8](try Data(contentsOf: URL(filePath: image)))
    }

    private func symbols(_ object: [UInt8]) throws -> [String] {
        let text = try Toolchain.output("llvm-objdump", ["--syms", try scratch.file("symbols.o", object)])
        return text.split(separator: "\n").dropFirst(2).map(String.init)
    }

    @Test func aModuleWithoutItsLabelsIsLinkedToTheSameProgram() throws {
        let module = try assemble(Self.program)
        let reduced = ModuleSymbols.reduced(module)
        #expect(try symbols(module).count > 200)
        let rest = try symbols(reduced)
        #expect(rest.count < 12)
        #expect(!rest.contains { $0.contains(".L") })
        for name in ["_start", "again", "other", "data"] {
            #expect(rest.contains { $0.hasSuffix(" \(name)") }, "\(name)")
        }
        #expect(try linked(reduced) == linked(module))
        #expect(ModuleSymbols.reduced(reduced) == reduced)
    }

    /// As in the kernel's modules, the linker gives the sections' names a table of their own.
    @Test func namesThatOnlySymbolsHaveGoWithThem() throws {
        let object = try scratch.file("input.o", try assemble(Self.program))
        try Toolchain.run(
            "ld.lld", ["-m", "elf64lriscv", "-r", "--discard-none", "-o", scratch.path("other.o"), object])
        let module = [UInt8](try Data(contentsOf: URL(filePath: scratch.path("other.o"))))
        let reduced = ModuleSymbols.reduced(module)
        #expect(reduced.count < module.count - 200 * 24)
        #expect(!(String(decoding: reduced, as: UTF8.self).contains(".Lhigh")))
        #expect(try linked(reduced) == linked(module))
    }

    @Test func otherFilesStayAsTheyAre() throws {
        #expect(ModuleSymbols.reduced([]) == [])
        #expect(ModuleSymbols.reduced([0x7F, 0x45, 0x4C, 0x46, 2, 1]) == [0x7F, 0x45, 0x4C, 0x46, 2, 1])
        let module = try assemble(Self.program)
        for count in [63, 64, 200, module.count - 1] {
            let part = Array(module[..<count])
            #expect(ModuleSymbols.reduced(part) == part)
        }
    }

    /// A damaged file is left alone or reduced to something, but harms nobody.
    @Test func damagedFilesDoNoHarm() throws {
        let module = try assemble(Self.program)
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<300 {
            var damaged = module
            for _ in 0..<4 {
                damaged[Int.random(in: 0..<damaged.count, using: &generator)] = UInt8.random(
                    in: 0...255, using: &generator)
            }
            #expect(ModuleSymbols.reduced(damaged).count <= 2 * module.count + 4096 * 64)
        }
    }
}
