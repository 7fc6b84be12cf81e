import GuestMemory
import GuestToolchain
import Testing
import Translator
import HostX86_64

@testable import RISCV
@testable import TranslationRuntime

/// Whatever stands in a page, translating it does no harm.
@Suite struct HostilePagesTests {
    private static let lastPage: UInt64 = ~0xFFF

    /// Pages of random instructions at the end of all addresses, with constant and with relative code. Generated code has less
    /// bytes than there is room for.
    @Test func codeOfAnyPageFitsItsRoom() throws {
        let fixture = try StoreFixture([])
        var regions = 0
        for number in 0..<60 {
            var random = FuzzRandom(seed: UInt64(number))
            try fixture.memory.write(HostilePage.make(&random), at: fixture.address(number))
            for virtual in [Self.lastPage, fixture.address(number)] {
                let page = page(number, at: virtual, of: fixture)
                for _ in 0..<8 { translate(page, random.below(2048) * 2, of: fixture) }
                let offsets = page.entries.keys.sorted()
                for offset in offsets where random.once(in: 3) { _ = page.addSample(offset) }
                for offset in offsets.prefix(6) {
                    let request = RegionRequest(page: page, offset: offset, epoch: page.epoch, processor: 0)
                    let work = try #require(fixture.store.startRegion(request))
                    work.generate()
                    guard let region = work.region, let place = work.place else { continue }
                    let room = work.blocks.reduce(Generator.maximumRegionOverhead) {
                        $0 + Generator.maximumSize(steps: $1.steps.count)
                    }
                    #expect(region.end - place.position <= room, "page \(number)")
                    regions += 1
                }
            }
        }
        #expect(regions > 500)
    }

    private func page(_ number: Int, at virtual: UInt64, of fixture: StoreFixture) -> TranslatedPage {
        fixture.store.makePage(
            at: virtual, physical: fixture.address(number),
            source: UnsafeRawPointer(fixture.memory.hostBase) + number << 12, present: 1, watchedIn: nil)
    }

    private func translate(_ page: TranslatedPage, _ offset: Int, of fixture: StoreFixture) {
        while case .noRoom = fixture.store.translate(offset, of: page, for: 0) {
            fixture.store.isRemoving = true
            _ = fixture.store.makeRoom()
        }
    }

    /// The least constant of 32 bits is its own negative. 300 is the sum.
    @Test(arguments: GuestRunners.translating)
    func aPointerThatTheLeastConstantIsAddedToIsStillOne(runner: AerieRunner) throws {
        let program = try Toolchain.assemble(
            """
                la s0, data
                li s1, 100
            again:
                ld t0, 0(s0)
                lui a1, 0x80000
                add s0, s0, a1
                sub s0, s0, a1
                ld t1, 8(s0)
                add t0, t0, t1
                sd t0, 0(s0)
                addi s1, s1, -1
                bnez s1, again
                li t1, 0x100000
                li t2, 0x5555
                sw t2, 0(t1)
            1:  j 1b
                .balign 4096
            data:
                .dword 0, 3
            """, at: Toolchain.base)
        let outcome = try runner.run(program, harts: 1, memory: 1 << 20, dump: 4096..<4104)
        #expect(outcome.end == .exit(0))
        #expect(outcome.memory == [44, 1, 0, 0, 0, 0, 0, 0])
    }
}

/// Random instructions: of all kinds, with many jumps inside of the page, also into the middle of instructions.
private enum HostilePage {
    static func make(_ random: inout FuzzRandom) -> [UInt8] {
        // Some pages have few registers, so that accesses share bases and constants.
        let registers = UInt32(random.pick([4, 12, 32]))
        var bytes: [UInt8] = []
        while bytes.count < TranslatedPage.size {
            let bits = instruction(at: bytes.count, registers, &random)
            for index in 0..<(bits & 3 == 3 ? 4 : 2) { bytes.append(UInt8(bits >> (8 * UInt32(index)) & 255)) }
        }
        return Array(bytes.prefix(TranslatedPage.size))
    }

    private static func instruction(at offset: Int, _ registers: UInt32, _ random: inout FuzzRandom) -> UInt32 {
        let (a, b, c) = (
            random.word(below: registers), random.word(below: registers), random.word(below: registers)
        )
        let distance = random.below(2048) * 2 - offset
        switch random.below(16) {
        case 0: return FuzzEncoding.branch(random.pick([0, 1, 4, 5, 6, 7]), a, b, distance)
        case 1 where random.once(in: 2): return FuzzEncoding.jal(random.word(below: 2), distance)
        case 2 where random.once(in: 2):
            return FuzzEncoding.i(0x67, 0, random.word(below: 2), random.pick([1, a]), random.below(4096))
        case 3, 4: return FuzzEncoding.lui(a, random.pick([0x8_0000, 0x7_FFFF, 0, 0xF_FFFF, 1]))
        case 5: return FuzzEncoding.r(0x33, random.pick([0, 0x20]), 0, a, a, b)
        case 6: return FuzzEncoding.addi(a, random.once(in: 2) ? a : b, random.below(4096))
        case 7, 8: return FuzzEncoding.i(0x03, random.word(below: 7), a, b, random.below(4096))
        case 9: return FuzzEncoding.s(0x23, random.word(below: 4), b, c, random.below(4096))
        case 10: return FuzzEncoding.i(0x07, random.pick([2, 3]), a, b, random.below(4096))
        default:
            let row = random.pick(InstructionTable.all)
            return row.match | UInt32(truncatingIfNeeded: random.next()) & ~row.mask
        }
    }
}
