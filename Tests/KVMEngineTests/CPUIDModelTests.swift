import Testing

@testable import KVMEngine

@Suite("KVM: CPUID model") struct CPUIDModelTests {
    private func leaf(
        _ function: UInt32, _ index: UInt32 = 0, eax: UInt32 = 0, ebx: UInt32 = 0, ecx: UInt32 = 0, edx: UInt32 = 0
    ) -> CPUIDModel.Leaf {
        .init(function: function, index: index, flags: 1, eax: eax, ebx: ebx, ecx: ecx, edx: edx)
    }

    @Test("Features and leaves outside of the baseline are hidden")
    func baseline() {
        let composed = CPUIDModel.composed(from: [
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

    @Test("Leaf 0xD exists only together with XSAVE")
    func extendedState() {
        #expect(CPUIDModel.composed(from: [leaf(1), leaf(0xD, eax: 7)]).map(\.function) == [1])
        #expect(
            CPUIDModel.composed(from: [leaf(1, ecx: 1 << 26), leaf(0xD, eax: .max)]).last?.eax == 0x2E7)
    }

    @Test(
        "A vCPU's leaves have its APIC ID and the number of vCPUs",
        .enabled(if: Host.hasKVM, "this host has no KVM for us"))
    func topology() throws {
        let model = try CPUIDModel(KVMSystem())
        let leaves = model.leaves(ofVCPU: 2, in: 6)
        let first = try #require(leaves.first { $0.function == 1 })
        #expect(first.ebx >> 24 == 2)
        #expect(first.ebx >> 16 & 0xFF == 6)
        #expect(first.edx & 1 << 28 != 0)
        let levels = leaves.filter { $0.function == 0xB }
        #expect(levels.map(\.eax) == [0, 3, 0])
        #expect(levels.map(\.ebx) == [1, 6, 0])
        #expect(levels.map(\.ecx) == [0x100, 0x201, 2])
        #expect(levels.map(\.edx) == [2, 2, 2])
        let alone = try #require(model.leaves(ofVCPU: 0, in: 1).first { $0.function == 1 })
        #expect(alone.edx & 1 << 28 == 0)
    }

    @Test("The last of 64 vCPUs has its APIC ID and topology", .enabled(if: Host.hasKVM, "this host has no KVM for us"))
    func sixtyFour() throws {
        let leaves = try CPUIDModel(KVMSystem()).leaves(ofVCPU: 63, in: 64)
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
        "A model lacks no feature of itself and survives saving",
        .enabled(if: Host.hasKVM, "this host has no KVM for us"))
    func savedModel() throws {
        let model = try CPUIDModel(KVMSystem())
        #expect(model.missingFeature(of: model) == nil)
        let restored = try CPUIDModel(model.record)
        #expect(restored == model)
    }
}
