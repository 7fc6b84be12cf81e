#if arch(x86_64)
    internal import CKVM
    internal import HostSystem
    package import SavedState

    /// The CPUID model of a machine: the CPUID leaves of its vCPUs (Intel SDM, volume 2, CPUID).
    ///
    /// It consists of the features that this host's KVM supports and that `CPUIDBaseline` lists. A newer kernel or processor
    /// therefore adds nothing to the model, and a saved machine can move between hosts with the same listed features.
    package struct CPUIDModel: Equatable, Sendable {
        /// A CPUID leaf (`function` in EAX) and subleaf (`index` in ECX) with its values.
        struct Leaf: Equatable, Sendable {
            var function: UInt32
            var index: UInt32
            // Bit 0: the leaf has subleaves (KVM_CPUID_FLAG_SIGNIFCANT_INDEX).
            var flags: UInt32
            var eax: UInt32
            var ebx: UInt32
            var ecx: UInt32
            var edx: UInt32
        }

        /// KVM's own limit (KVM_MAX_CPUID_ENTRIES).
        static let maximumLeaves = 256

        /// The leaves that all vCPUs have in common. `leaves(ofVCPU:in:)` adds a vCPU's topology.
        private(set) var leaves: [Leaf]

        /// The model of this host, or a level of it.
        ///
        /// - Throws: `lacksFeatures` when this host is below the level.
        package init(_ system: borrowing KVMSystem, level: X86Level? = nil) throws(KVMError) {
            try self.init(host: Self.composed(from: try Self.supported(system)), level: level)
        }

        /// - Parameter host: the leaves that a guest may have on this host.
        init(host: [Leaf], level: X86Level?) throws(KVMError) {
            guard let level else {
                leaves = host
                return
            }
            let missing = level.features.filter { !$0.isIn(host) }
            guard missing.isEmpty else { throw .lacksFeatures(missing.map(\.name)) }
            leaves = level.limit(host)
        }

        private static func supported(_ system: borrowing KVMSystem) throws(KVMError) -> [Leaf] {
            let header = MemoryLayout<kvm_cpuid2>.size
            let stride = MemoryLayout<kvm_cpuid_entry2>.stride
            let buffer = UnsafeMutableRawBufferPointer.allocate(
                byteCount: header + stride * maximumLeaves, alignment: 8)
            defer { buffer.deallocate() }
            buffer.initializeMemory(as: UInt8.self, repeating: 0)
            buffer.storeBytes(of: UInt32(maximumLeaves), as: UInt32.self)
            let device = system.descriptor.rawValue
            _ = try kvm { () throws(SystemError) in
                try checked("ioctl KVM_GET_SUPPORTED_CPUID") {
                    aerie_kvm_ioctl_value(
                        device, AERIE_KVM_GET_SUPPORTED_CPUID, UInt(bitPattern: buffer.baseAddress))
                }
            }
            return (0..<min(Int(buffer.load(as: UInt32.self)), maximumLeaves)).map {
                let entry = buffer.load(fromByteOffset: header + stride * $0, as: kvm_cpuid_entry2.self)
                return Leaf(
                    function: entry.function, index: entry.index, flags: entry.flags & 1, eax: entry.eax,
                    ebx: entry.ebx,
                    ecx: entry.ecx, edx: entry.edx)
            }
        }

        /// The leaves of KVM_GET_SUPPORTED_CPUID, masked by `CPUIDBaseline`.
        static func composed(from supported: [Leaf]) -> [Leaf] {
            let hasXSAVE = supported.contains { $0.function == 1 && $0.ecx & 1 << 26 != 0 }
            var result: [Leaf] = []
            for var leaf in supported {
                guard let mask = CPUIDBaseline.mask(function: leaf.function, index: leaf.index) else { continue }
                if leaf.function == 0xD && !hasXSAVE { continue }
                leaf.eax &= mask.eax
                leaf.ebx &= mask.ebx
                leaf.ecx &= mask.ecx
                leaf.edx &= mask.edx
                if leaf.function == 0 { leaf.eax = min(leaf.eax, CPUIDBaseline.highestLeaf) }
                if leaf.function == 0x8000_0000 { leaf.eax = min(leaf.eax, CPUIDBaseline.highestExtendedLeaf) }
                if leaf.function == 0x4000_0000 { leaf.eax = 0x4000_0001 }
                result.append(leaf)
            }
            return result
        }

        /// The leaves of vCPU `index` of `count`. The topology is one package of single-threaded cores; the APIC ID is the index.
        func leaves(ofVCPU index: Int, in count: Int) -> [Leaf] {
            leaves.map { leaf in
                var leaf = leaf
                switch leaf.function {
                case 1:
                    leaf.ebx = leaf.ebx & 0xFFFF | UInt32(count) << 16 | UInt32(index) << 24
                    // HTT: the number of logical processors in EBX is valid.
                    leaf.edx = leaf.edx & ~(1 << 28) | (count > 1 ? 1 << 28 : 0)
                case 4 where leaf.eax & 0x1F != 0:
                    // Each core has its own level 1 and 2 caches; all cores share level 3.
                    let isShared = leaf.eax >> 5 & 7 >= 3
                    leaf.eax = leaf.eax & 0x3FFF | UInt32(count - 1) << 26 | (isShared ? UInt32(count - 1) << 14 : 0)
                case 0xB:
                    leaf.edx = UInt32(index)
                default: break
                }
                return leaf
            } + topology(ofVCPU: index, in: count)
        }

        /// Leaf 0xB: subleaf 0 counts a core's threads, subleaf 1 a package's logical processors.
        private func topology(ofVCPU index: Int, in count: Int) -> [Leaf] {
            let shift = UInt32(Int.bitWidth - (count - 1).leadingZeroBitCount)
            func level(_ number: UInt32, shift: UInt32, processors: Int, kind: UInt32) -> Leaf {
                Leaf(
                    function: 0xB, index: number, flags: 1, eax: shift, ebx: UInt32(processors),
                    ecx: number | kind << 8, edx: UInt32(index))
            }
            return [
                level(0, shift: 0, processors: 1, kind: 1), level(1, shift: shift, processors: count, kind: 2),
                level(2, shift: 0, processors: 0, kind: 0),
            ]
        }

        // MARK: Saving

        package var record: SavedRecord {
            var record = SavedRecord(kind: "x86-cpuid", version: 1)
            record.set(
                "leaves",
                leaves.flatMap { leaf in
                    [leaf.function, leaf.index, leaf.flags, leaf.eax, leaf.ebx, leaf.ecx, leaf.edx].map(UInt64.init)
                })
            return record
        }

        init(_ record: SavedRecord) throws(SavedStateError) {
            try record.expect(kind: "x86-cpuid", versions: 1...1)
            let words = try record.integers("leaves").map(UInt32.init(truncatingIfNeeded:))
            guard words.count % 7 == 0, words.count / 7 <= Self.maximumLeaves else {
                throw .badField(kind: record.kind, field: "leaves")
            }
            leaves = stride(from: 0, to: words.count, by: 7).map {
                Leaf(
                    function: words[$0], index: words[$0 + 1], flags: words[$0 + 2], eax: words[$0 + 3],
                    ebx: words[$0 + 4], ecx: words[$0 + 5], edx: words[$0 + 6])
            }
        }

        /// The features of `other` that this model lacks, by the names that Linux gives them, or as CPUID bits where it gives none.
        package func missingFeatures(of other: CPUIDModel) -> [String] {
            other.leaves.filter { CPUIDBaseline.holdsFeatures($0.function, $0.index) }.flatMap { theirs in
                let ours = leaves.first { $0.function == theirs.function && $0.index == theirs.index }
                // EAX of leaf 1 is the processor's signature, EBX its topology.
                let registers: [CPUIDFeature.Register] =
                    theirs.function == 1 ? [.ecx, .edx] : [.eax, .ebx, .ecx, .edx]
                return registers.flatMap { register in
                    let missing = theirs[register] & ~(ours?[register] ?? 0)
                    return (0..<32).filter { missing >> $0 & 1 != 0 }.map { bit in
                        Self.name(of: bit, in: register, of: theirs)
                    }
                }
            }
        }

        private static func name(of bit: Int, in register: CPUIDFeature.Register, of leaf: Leaf) -> String {
            let known = CPUIDFeature.all.first {
                $0.function == leaf.function && $0.index == leaf.index && $0.register == register && $0.bit == bit
            }
            return known?.name ?? "CPUID 0x\(String(leaf.function, radix: 16)) \(register) bit \(bit)"
        }
    }
#endif
