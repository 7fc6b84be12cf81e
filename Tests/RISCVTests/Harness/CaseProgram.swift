import GuestToolchain

/// Many cases in one bare-metal program: the driver, their code, and a block for each.
struct CaseProgram {
    /// Where code goes: what a case's addresses are made from.
    static let codeBase: UInt64 = 0x8001_0000
    static let memory = 64 << 20

    private static let header = 0x1000
    private let firstBlock: Int
    private let stride: Int
    private let count: Int
    /// The flat image.
    let image: [UInt8]

    /// The address of the block of case `index` when `codeSize` bytes of code come before.
    static func blockAddress(_ index: Int, codeSize: Int, stride: Int = CaseBlock.size) -> UInt64 {
        Toolchain.base + UInt64(firstBlockOffset(codeSize: codeSize) + index * stride)
    }

    private static func firstBlockOffset(codeSize: Int) -> Int {
        (Int(codeBase - Toolchain.base) + codeSize + 0xffff) & ~0xffff
    }

    init(code: [UInt8], blocks: [CaseBlock]) throws {
        let driver = try Toolchain.build(["driver.S"])
        precondition(driver.count <= Self.header, "the driver has outgrown its page")
        count = blocks.count
        stride = blocks.first?.bytes.count ?? CaseBlock.size
        firstBlock = Self.firstBlockOffset(codeSize: code.count)
        precondition(firstBlock + count * stride <= Self.memory - (4 << 20), "too many cases for one program")
        var image = [UInt8](repeating: 0, count: firstBlock)
        image.replaceSubrange(0..<driver.count, with: driver)
        let words = [Toolchain.base + UInt64(firstBlock), UInt64(stride), UInt64(count)]
        for (index, word) in words.enumerated() {
            for byte in 0..<8 {
                image[Self.header + 8 * index + byte] = UInt8(truncatingIfNeeded: word >> (8 * UInt64(byte)))
            }
        }
        let code0 = Int(Self.codeBase - Toolchain.base)
        image.replaceSubrange(code0..<code0 + code.count, with: code)
        for block in blocks { image += block.bytes }
        self.image = image
    }

    /// Runs all cases and returns their blocks afterwards; throws when the program itself did not come to its end.
    func run(on runner: any GuestRunner) throws -> [CaseBlock] {
        let outcome = try runner.run(
            image, harts: 1, memory: Self.memory, dump: firstBlock..<firstBlock + count * stride)
        guard outcome.end == .exit(0) else {
            throw HostProgram.Failure(description: "\(runner.name): the driver ended with \(outcome.end)")
        }
        return (0..<count).map { index in
            CaseBlock(Array(outcome.memory[index * stride..<(index + 1) * stride]))
        }
    }
}
