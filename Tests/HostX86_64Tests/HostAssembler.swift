import Foundation
import GuestToolchain

/// The assembler and the disassembler of the toolchain, for x86-64: what our encoder is compared with.
enum HostAssembler {
    /// Machine code of each instruction, in Intel's syntax.
    static func assemble(_ instructions: [String]) throws -> [[UInt8]] {
        var text = ".intel_syntax noprefix\n.text\n"
        for (index, instruction) in instructions.enumerated() { text += "l\(index): \(instruction)\n" }
        text += "l\(instructions.count):\n.section .offsets,\"\"\n"
        for index in 0...instructions.count { text += ".long l\(index) - l0\n" }
        return try withObject(of: text) { object in
            let code = try section(".text", of: object)
            let table = try section(".offsets", of: object)
            let offsets = stride(from: 0, to: table.count, by: 4).map { place in
                (0..<4).reduce(0) { $0 | Int(table[place + $1]) << (8 * $1) }
            }
            return zip(offsets, offsets.dropFirst()).map { Array(code[$0..<$1]) }
        }
    }

    /// What each piece of machine code means, an instruction a line.
    static func disassemble(_ pieces: [[UInt8]]) throws -> [String] {
        if pieces.isEmpty { return [] }
        var text = ".text\n"
        for (index, piece) in pieces.enumerated() {
            text += "l\(index): .byte \(piece.map(String.init).joined(separator: ","))\n"
        }
        let listing = try withObject(of: text) { object in
            try Toolchain.output(
                "llvm-objdump", ["-d", "-M", "intel", "--no-show-raw-insn", "--no-leading-addr", object])
        }
        var result: [String] = []
        for line in listing.split(separator: "\n") {
            if line.hasPrefix("<l"), line.hasSuffix(">:") {
                result.append("")
            } else if line.first == "\t" || line.first == " ", !result.isEmpty {
                // Comments name absolute addresses.
                let instruction = line.split(separator: "#")[0].split(whereSeparator: \.isWhitespace)
                result[result.count - 1] += instruction.joined(separator: " ") + "\n"
            }
        }
        return result
    }

    private static func withObject<Result>(of text: String, _ body: (String) throws -> Result) throws -> Result {
        let directory = TemporaryDirectory()
        let source = try directory.file("code.s", [UInt8](text.utf8))
        let object = directory.path("code.o")
        try Toolchain.run("clang", ["--target=x86_64-linux-gnu", "-c", "-o", object, source])
        return try body(object)
    }

    private static func section(_ name: String, of object: String) throws -> [UInt8] {
        let file = object + name
        try Toolchain.run("llvm-objcopy", ["--dump-section", "\(name)=\(file)", object])
        return [UInt8](try Data(contentsOf: URL(filePath: file)))
    }
}
