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
        #expect(model.missingFeatures(of: model).isEmpty)
        let restored = try CPUIDModel(model.record)
        #expect(restored == model)
    }

    // MARK: Levels

    /// A host that has every feature of the baseline.
    private var everything: [CPUIDModel.Leaf] {
        CPUIDModel.composed(
            from: [
                leaf(0, eax: 0x20), leaf(1, eax: .max, ebx: .max, ecx: .max, edx: .max), leaf(6, eax: .max),
                leaf(7, ebx: .max, ecx: .max, edx: .max), leaf(0xD, 0, eax: .max, ebx: 576, ecx: 2696),
                leaf(0xD, 1, eax: .max),
                leaf(0xD, 2, eax: 256, ebx: 576), leaf(0xD, 5, eax: 64, ebx: 1088), leaf(0xD, 6, eax: 512, ebx: 1152),
                leaf(0xD, 7, eax: 1024, ebx: 1664), leaf(0xD, 9, eax: 8, ebx: 2688), leaf(0x4000_0001, eax: .max),
                leaf(0x8000_0001, ecx: .max, edx: .max), leaf(0x8000_0007, edx: .max),
                leaf(0x8000_0008, eax: 0x3030, ebx: .max),
            ])
    }

    @Test("Every bit that a guest may see as a feature has a name of its own")
    func names() {
        for leaf in everything where CPUIDBaseline.holdsFeatures(leaf.function, leaf.index) {
            let registers: [CPUIDFeature.Register] = leaf.function == 1 ? [.ecx, .edx] : [.eax, .ebx, .ecx, .edx]
            for register in registers {
                let named = CPUIDFeature.all.filter {
                    $0.function == leaf.function && $0.index == leaf.index && $0.register == register
                }
                let bits = named.reduce(0) { $0 | $1.mask }
                #expect(bits == leaf[register], "leaf \(leaf.function), \(register)")
            }
        }
        #expect(Set(CPUIDFeature.all.map(\.name)).count == CPUIDFeature.all.count)
    }

    @Test("A level shows its features, and what follows from them", arguments: X86Level.allCases)
    func level(level: X86Level) throws {
        let model = try CPUIDModel(host: everything, level: level)
        #expect(level.features.allSatisfy { $0.isIn(model.leaves) })
        let others = CPUIDFeature.all.filter {
            $0.isIn(model.leaves) && !level.features.contains($0) && $0.function != 0x4000_0001
        }
        #expect(Set(others.map(\.name)) == ["x2apic", "tsc_deadline_timer", "hypervisor", "arat"])
        let states = model.leaves.filter { $0.function == 0xD }
        switch level {
        case .v1, .v2: #expect(states.isEmpty)
        case .v3:
            #expect(states.map(\.index) == [0, 1, 2])
            #expect(states[0].eax == 7 && states[0].ecx == 832)
        case .v4:
            #expect(states.map(\.index) == [0, 1, 2, 5, 6, 7])
            #expect(states[0].eax == 0xE7 && states[0].ecx == 2688)
        }
        // The marks that the System V ABI tells the levels apart by.
        let marks = ["sse2", "popcnt", "avx2", "avx512vl"]
        for (number, mark) in marks.enumerated() {
            let feature = try #require(CPUIDFeature.all.first { $0.name == mark })
            #expect(feature.isIn(model.leaves) == (number < level.rawValue))
        }
    }

    @Test("A host below a level says what it lacks")
    func belowLevel() throws {
        var host = everything
        let index = try #require(host.firstIndex { $0.function == 7 })
        // AVX2 and AVX512F.
        host[index].ebx &= ~(1 << 5 | 1 << 16)
        #expect(throws: KVMError.lacksFeatures(["avx2"])) { try CPUIDModel(host: host, level: .v3) }
        #expect(throws: KVMError.lacksFeatures(["avx2", "avx512f"])) { try CPUIDModel(host: host, level: .v4) }
        #expect(try CPUIDModel(host: host, level: .v2).leaves == CPUIDModel(host: everything, level: .v2).leaves)
    }

    @Test("A machine at a level lacks nothing on another host that has the level, and one without a level does")
    func moving() throws {
        var weak = everything
        let index = try #require(weak.firstIndex { $0.function == 7 })
        weak[index].ebx &= ~(1 << 16 | 1 << 29)
        let saved = try CPUIDModel(host: everything, level: .v3)
        for level in [nil, X86Level.v3] {
            #expect(try CPUIDModel(host: weak, level: level).missingFeatures(of: saved).isEmpty)
        }
        let all = try CPUIDModel(host: everything, level: nil)
        #expect(try CPUIDModel(host: weak, level: nil).missingFeatures(of: all) == ["avx512f", "sha_ni"])
    }
}
