import Glibc
import GuestMemory
import HostSystem
import SavedState
import Testing
import Translator

@testable import TranslationRuntime

/// Code that goes along from one machine to another.
@Suite("Saved code", .timeLimit(.minutes(10))) struct SavedCodeTests {
    private func emptyFile() throws -> FileDescriptor { try makeMemoryFile(name: "saved-code", size: 0) }

    private struct NoCode: Error {}

    /// Saves the code of a machine, which has some.
    private func save(_ machine: ToyMachine) throws -> FileDescriptor {
        let file = try emptyFile()
        guard try machine.engine?.save(to: file) == true else { throw NoCode() }
        return file
    }

    private func contents(_ machine: ToyMachine) throws -> [UInt8] {
        try machine.memory.bytes(at: 0, count: Int(ToyMachine.memorySize))
    }

    @Test("A machine with another's code computes what the interpreter does", arguments: (1...12).map { UInt64($0) })
    func randomPrograms(seed: UInt64) throws {
        for changesCode in [false, true] {
            let program = ToyFuzzProgram(seed: seed, changesCode: changesCode).program()
            let expected = try ToyMachine(program, .interpreter)
            try expected.run()
            for kind in ToyEngine.translating where !changesCode || !kind.isFlat {
                let first = try ToyMachine(program, kind)
                try first.run()
                try follow(first, program, kind, expected, "\(kind), seed \(seed)")
            }
        }
    }

    /// Runs a machine with another's code, and one with the code of that one.
    private func follow(
        _ first: ToyMachine, _ program: [UInt8], _ kind: ToyEngine, _ expected: ToyMachine, _ comment: Comment
    ) throws {
        var machine = first
        for _ in 0..<2 {
            let code = try emptyFile()
            // A program that changes its code may leave none that is right.
            guard try machine.engine?.save(to: code) == true else { return }
            let next = try ToyMachine(program, kind, code: code.rawValue)
            #expect(next.isAdopted, comment)
            try next.run()
            #expect(next.outcome() == expected.outcome(), comment)
            #expect(try contents(next) == contents(expected), comment)
            #expect(next.engine?.counts.adoptedPages ?? 0 > 0, comment)
            #expect(next.engine?.counts.damagedPages == 0, comment)
            machine = next
        }
    }

    /// A loop that calls another function on each processor; all are in one page.
    private var program: [UInt8] {
        var assembler = ToyAssembler()
        assembler.add(.loadImmediate, 4, 0, 3000)
        assembler.label("again")
        assembler.add(.compareImmediate, 0, 0, 0)
        assembler.branch(.notZero, "other")
        assembler.jump(.call, "f")
        assembler.jump("next")
        assembler.label("other")
        assembler.jump(.call, "g")
        assembler.label("next")
        assembler.add(.addImmediate, 4, 4, -1)
        assembler.add(.compareImmediate, 4, 0, 0)
        assembler.branch(.notZero, "again")
        assembler.add(.halt)
        for (name, added) in [("f", 1), ("g", 5)] {
            assembler.label(name)
            assembler.add(.addImmediate, 1, 1, added)
            assembler.add(.ret)
        }
        return assembler.program()
    }

    @Test(
        "Code that was taken over is linked to new code, and the file stays as it was",
        arguments: [ToyEngine.baseline, .tiers])
    func linking(kind: ToyEngine) throws {
        let first = try ToyMachine(program, processors: 2, kind)
        first.processors[0].run()
        #expect(first.outcome(0).registers[1] == 3000)
        let code = try save(first)
        let saved = try bytes(of: code)
        for _ in 0..<2 {
            let second = try ToyMachine(program, processors: 2, kind, code: code.rawValue)
            second.processors[1].run()
            #expect(second.outcome(1).registers[1] == 15000)
            second.processors[0].run()
            #expect(second.outcome(0).registers[1] == 3000)
            #expect(second.engine?.counts.adoptedPages == 1)
        }
        let now = try bytes(of: code)
        #expect(now == saved)
    }

    private func bytes(of file: borrowing FileDescriptor) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Int(try file.size()))
        let count = try bytes.withUnsafeMutableBytes { try file.read(at: 0, into: $0) }
        #expect(count == bytes.count)
        return bytes
    }

    @Test("Code of a page with other contents is not used")
    func otherContents() throws {
        let first = try ToyMachine(program, .baseline)
        try first.run()
        let code = try save(first)
        var other = program
        // The instruction of f adds another value: its immediate is in the last four bytes.
        let place = try #require(other.indices.last { other[$0] == 1 && other[$0 + 1] == 0 && other[$0 + 2] == 0 })
        other[place] = 2
        let second = try ToyMachine(other, .baseline, code: code.rawValue)
        try second.run()
        #expect(second.isAdopted)
        #expect(second.outcome().registers[1] == 6000)
    }

    @Test("Code that was taken over is evicted", arguments: [ToyEngine.baseline, .regions])
    func eviction(kind: ToyEngine) throws {
        var small = kind
        small.capacity = 4 << 20
        let program = ToyTests.largeProgram(functions: 400)
        let first = try ToyMachine(program, small)
        try first.run()
        let code = try save(first)
        let second = try ToyMachine(program, small, code: code.rawValue)
        try second.run()
        #expect(second.outcome() == first.outcome())
        #expect(second.engine?.counts.evictions ?? 0 > 0)
        #expect(second.engine?.counts.adoptedPages ?? 0 > 0)
        #expect(second.engine?.counts.damagedPages == 0)
    }

    /// A loop that adds a number 100 times. It halts in another page: an instruction without code would change what is known of its page.
    private func loop(adding number: Int) -> [UInt8] {
        var assembler = ToyAssembler()
        assembler.add(.loadImmediate, 4, 0, 100)
        assembler.label("again")
        assembler.add(.addImmediate, 1, 1, number)
        assembler.add(.addImmediate, 4, 4, -1)
        assembler.add(.compareImmediate, 4, 0, 0)
        assembler.branch(.notZero, "again")
        assembler.jump("end")
        for _ in 0..<700 { assembler.add(.addImmediate, 5, 5, 1) }
        assembler.label("end")
        assembler.add(.halt)
        return assembler.program()
    }

    @Test("Code is found at another address of guest memory, if it does not depend on that", arguments: [false, true])
    func movedPage(isRelative: Bool) throws {
        let kind = isRelative ? ToyEngine.relative : .regions
        let first = try ToyMachine(loop(adding: 3), kind)
        #expect(try first.run(loop(adding: 3)) == 300)
        let code = try save(first)
        let second = try ToyMachine([], kind, code: code.rawValue, isForBoot: true)
        for start in [0x5000, 0x9000] as [UInt64] {
            #expect(try second.run(loop(adding: 3), at: start) == 300)
            // The second place has the same contents, but the code is in use.
            #expect(second.engine?.counts.adoptedPages == (isRelative ? 1 : 0))
        }
        #expect(try second.run(loop(adding: 4), at: 0x5000) == 400)
        #expect(try second.run(loop(adding: 3), at: 0xD000) == 300)
        #expect(second.engine?.counts.adoptedPages == (isRelative ? 2 : 0))
    }

    @Test(
        "Code for one virtual address is found where another page shows it, and by several processors only once",
        arguments: [1, 2])
    func movedBelowItsAddress(processors: Int) throws {
        let first = try ToyMachine([], .regions)
        #expect(try first.run(loop(adding: 3)) == 300)
        let code = try save(first)
        let second = try ToyMachine([], processors: processors, .regions, code: code.rawValue, isForBoot: true)
        #expect(try second.run(loop(adding: 3), shift: 0x8000) == 300)
        #expect(second.engine?.counts.adoptedPages == 1)
        #expect(try second.run(loop(adding: 4), shift: 0x8000) == 400)
        // The code is free again, but another processor could still be in there.
        #expect(try second.run(loop(adding: 3), shift: 0x10000) == 300)
        #expect(second.engine?.counts.adoptedPages == (processors == 1 ? 2 : 1))
        #expect(try second.run(loop(adding: 3), shift: 0x8000) == 300)
    }

    @Test(
        "Code of contents that a page had before is saved, found again, and used again when they are back",
        arguments: ToyEngine.translating.filter { !$0.isFlat })
    func replacedContents(kind: ToyEngine) throws {
        var kind = kind
        kind.keepsReplacedCode = true
        let first = try ToyMachine([], kind)
        for number in 1...3 { #expect(try first.run(loop(adding: number)) == UInt64(100 * number)) }
        let code = try save(first)
        let second = try ToyMachine([], kind, code: code.rawValue, isForBoot: true)
        for (round, number) in [3, 1, 2, 1, 2, 3].enumerated() {
            #expect(try second.run(loop(adding: number)) == UInt64(100 * number))
            #expect(second.engine?.counts.adoptedPages == round + 1)
        }
        #expect(try second.run(loop(adding: 4)) == 400)
        // What another machine saves of it has all of them.
        let more = try save(second)
        let third = try ToyMachine([], kind, code: more.rawValue, isForBoot: true)
        for number in 1...4 { #expect(try third.run(loop(adding: number)) == UInt64(100 * number)) }
        #expect(third.engine?.counts.adoptedPages == 4)
    }

    @Test("A machine that boots with other code stores its own before it is trimmed, though a copy has it already")
    func trimmed() throws {
        let first = try ToyMachine([], .relative)
        #expect(try first.run(loop(adding: 3)) == 300)
        let code = try save(first)
        let second = try ToyMachine([], .relative, code: code.rawValue, isForBoot: true)
        let engine = try #require(second.engine)
        engine.store(in: try emptyFile())
        for number in 3...5 {
            #expect(try second.run(loop(adding: number), at: 0x2000 * UInt64(number)) == 100 * UInt64(number))
        }
        #expect(engine.counts.adoptedPages == 1)
        let copy = try emptyFile()
        #expect(try engine.save(to: copy, isShared: true))
        engine.prepareTrim()
        engine.trim()
        let later = try save(second)
        let third = try ToyMachine([], .relative, code: later.rawValue)
        for number in 3...5 {
            #expect(try third.run(loop(adding: number), at: 0x2000 * UInt64(number)) == 100 * UInt64(number))
        }
        #expect(third.engine?.counts.adoptedPages == 3)
    }

    @Test("Code that takes more than half of the cache is not for machines that boot")
    func muchCode() throws {
        var kind = ToyEngine.baseline
        kind.capacity = 4 << 20
        for (functions, isLittle) in [(20, true), (400, false)] {
            let program = ToyTests.largeProgram(functions: functions)
            let first = try ToyMachine(program, kind)
            try first.run()
            let code = try save(first)
            let copy = try ToyMachine(program, kind, code: code.rawValue)
            #expect(copy.isAdopted)
            let other = try ToyMachine(program, kind, code: code.rawValue, isForBoot: true)
            #expect(other.isAdopted == isLittle)
            try other.run()
            #expect(other.outcome() == first.outcome())
        }
    }

    @Test("A machine that has translated nothing saves no code")
    func nothing() throws {
        let file = try emptyFile()
        let machine = try ToyMachine(program, .baseline)
        let isSaved = try machine.engine?.save(to: file)
        #expect(isSaved == false)
        let size = try file.size()
        #expect(size == 0)
        let other = try ToyMachine(program, .baseline, code: file.rawValue)
        #expect(!other.isAdopted)
    }

    @Test("A file of another cache's size or instruction set, a truncated and a damaged one are refused")
    func refusal() throws {
        let first = try ToyMachine(program, .baseline)
        try first.run()
        let code = try save(first)
        var other = ToyEngine.baseline
        other.capacity = 32 << 20
        let larger = try ToyMachine(program, other, code: code.rawValue)
        #expect(!larger.isAdopted)
        var otherForm = ToyEngine.baseline
        otherForm.variant = 1
        let foreign = try ToyMachine(program, otherForm, code: code.rawValue)
        #expect(!foreign.isAdopted)
        let size = try code.size()
        let pages = try SavedPages(code)
        for place in Array(0..<SavedCodeHeader.size) + pages.range {
            try flip(code, place)
            let machine = try ToyMachine(program, .baseline, code: code.rawValue)
            #expect(!machine.isAdopted, "byte \(place)")
            try flip(code, place)
        }
        let machine = try ToyMachine(program, .baseline, code: code.rawValue)
        #expect(machine.isAdopted)
        try code.truncate(to: size - 1)
        let cut = try ToyMachine(program, .baseline, code: code.rawValue)
        #expect(!cut.isAdopted)
    }

    private func flip(_ file: borrowing FileDescriptor, _ place: Int) throws {
        var byte: [UInt8] = [0]
        _ = try byte.withUnsafeMutableBytes { try file.read(at: UInt64(place), into: $0) }
        try file.writeAll(at: UInt64(place), [byte[0] ^ 0x40])
    }

    /// Nothing of it executes here: it would be anything.
    @Test("Records that are not as they were written are read without harm", arguments: [ToyEngine.baseline, .regions])
    func damagedRecords(kind: ToyEngine) throws {
        let program = ToyFuzzProgram(seed: 3, changesCode: false).program()
        let first = try ToyMachine(program, kind)
        try first.run()
        let code = try save(first)
        let pages = try SavedPages(code)
        var damaged = 0
        // The segments, and what follows: flipped, and with a right checksum.
        for place in stride(from: pages.range.lowerBound, to: pages.range.upperBound, by: 3) {
            try flip(code, place)
            try SavedPages(code).seal(code)
            let machine = try ToyMachine(program, kind, code: code.rawValue)
            machine.engine?.store.withLock { store in
                for page in 0..<ToyMachine.memorySize >> 12 { store.adoptPage(page << 12) }
                store.loadAllPages()
            }
            damaged += machine.isAdopted ? machine.engine?.counts.damagedPages ?? 0 : 1
            try flip(code, place)
        }
        #expect(damaged > 100)
    }

    /// The pages of a file of code.
    private struct SavedPages {
        private var header: SavedCodeHeader
        private var bytes: [UInt8]
        var range: Range<Int> { header.pagesOffset..<header.pagesOffset + header.pagesSize }

        init(_ file: borrowing FileDescriptor) throws {
            var head = [UInt8](repeating: 0, count: SavedCodeHeader.size)
            _ = try head.withUnsafeMutableBytes { try file.read(at: 0, into: $0) }
            header = try head.withUnsafeBytes { try SavedCodeHeader($0) }
            bytes = Array(repeating: 0, count: header.pagesSize)
            let offset = UInt64(header.pagesOffset)
            _ = try bytes.withUnsafeMutableBytes { try file.read(at: offset, into: $0) }
        }

        /// Writes the header that fits them.
        func seal(_ file: borrowing FileDescriptor) throws {
            var header = header
            header.pagesChecksum = CRC32C.checksum(of: bytes)
            try file.writeAll(at: 0, header.encoded)
        }
    }
}
