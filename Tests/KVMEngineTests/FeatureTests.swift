import Testing

@testable import KVMEngine

@Suite("KVM: what CPUID tells") struct FeatureTests {
    private func leaf(
        _ function: UInt32, _ index: UInt32 = 0, eax: UInt32 = 0, ebx: UInt32 = 0, ecx: UInt32 = 0, edx: UInt32 = 0
    ) -> X86Processors.Leaf {
        .init(function: function, index: index, flags: 1, eax: eax, ebx: ebx, ecx: ecx, edx: edx)
    }

    @Test("Features that are not in the list are hidden, and so are unknown leaves")
    func baseline() {
        let composed = X86Processors.composed(from: [
            leaf(0, eax: 0x20, ebx: 0x756E_6547),
            // VMX (5) is not for guests; SSE3 (0) and XSAVE (26) are.
            leaf(1, eax: 0x50657, ebx: 0x1234_5678, ecx: 1 << 5 | 1 << 26 | 1, edx: .max),
            leaf(0xA, eax: 0x0830_0805),
            leaf(0x14, eax: 1),
            leaf(0x24, eax: 1),
        ])
        #expect(composed.map(\.function) == [0, 1])
        #expect(composed[0].eax == 0xD)
        #expect(composed[1].ebx == 0x5678)
        #expect(composed[1].ecx == 1 << 26 | 1)
        #expect(composed[1].edx & 1 << 22 == 0)
    }

    @Test("Extended state is told only with the instruction that saves it")
    func extendedState() {
        #expect(X86Processors.composed(from: [leaf(1), leaf(0xD, eax: 7)]).map(\.function) == [1])
        #expect(
            X86Processors.composed(from: [leaf(1, ecx: 1 << 26), leaf(0xD, eax: .max)]).last?.eax == 0x2E7)
    }

    @Test(
        "Each processor knows its number, and how many there are",
        .enabled(if: Host.hasKVM, "this host has no KVM for us"))
    func topology() throws {
        let processors = try X86Processors(KVMSystem())
        let leaves = processors.leaves(of: 2, in: 6)
        let first = try #require(leaves.first { $0.function == 1 })
        #expect(first.ebx >> 24 == 2)
        #expect(first.ebx >> 16 & 0xFF == 6)
        #expect(first.edx & 1 << 28 != 0)
        let levels = leaves.filter { $0.function == 0xB }
        #expect(levels.map(\.eax) == [0, 3, 0])
        #expect(levels.map(\.ebx) == [1, 6, 0])
        #expect(levels.map(\.ecx) == [0x100, 0x201, 2])
        #expect(levels.map(\.edx) == [2, 2, 2])
        let alone = try #require(processors.leaves(of: 0, in: 1).first { $0.function == 1 })
        #expect(alone.edx & 1 << 28 == 0)
    }

    @Test(
        "The last of 64 processors has the numbers that belong to it",
        .enabled(if: Host.hasKVM, "this host has no KVM for us"))
    func sixtyFour() throws {
        let leaves = try X86Processors(KVMSystem()).leaves(of: 63, in: 64)
        let first = try #require(leaves.first { $0.function == 1 })
        #expect(first.ebx >> 16 == 0x3F40)
        let levels = leaves.filter { $0.function == 0xB }
        #expect(levels.map(\.eax) == [0, 6, 0])
        #expect(levels.map(\.ebx) == [1, 64, 0])
        #expect(levels.map(\.edx) == [63, 63, 63])
        for cache in leaves where cache.function == 4 && cache.eax & 0x1F != 0 {
            #expect(cache.eax >> 26 == 63)
            #expect(cache.eax >> 14 & 0xFFF == (cache.eax >> 5 & 7 >= 3 ? 63 : 0))
        }
    }

    @Test(
        "A machine moves only to where every feature is that it was started with",
        .enabled(if: Host.hasKVM, "this host has no KVM for us"))
    func missingFeatures() throws {
        let processors = try X86Processors(KVMSystem())
        #expect(processors.missingFeature(of: processors) == nil)
        let restored = try X86Processors(processors.record)
        #expect(restored == processors)
    }
}
