#if arch(x86_64)
    internal import CKVM
    internal import HostSystem
    package import SavedState

    /// What CPUID says on the vCPUs of a machine (Intel SDM, volume 2, CPUID).
    ///
    /// It is composed from what KVM supports on this host, less everything that is not in a list of ours: a new kernel or a
    /// new processor changes nothing that a guest could have learned to rely on, so that saved machines move between hosts
    /// that have the same features of the list.
    package struct X86Processors: Equatable, Sendable {
        struct Leaf: Equatable, Sendable {
            var function: UInt32
            var index: UInt32
            // Bit 0: `index` matters (KVM_CPUID_FLAG_SIGNIFCANT_INDEX).
            var flags: UInt32
            var eax: UInt32
            var ebx: UInt32
            var ecx: UInt32
            var edx: UInt32
        }

        /// KVM's own limit is 256.
        static let mostLeaves = 256

        /// Leaves of every processor of the machine; topology is filled in for each one by `leaves(of:in:)`.
        private(set) var leaves: [Leaf]

        /// What this host's KVM can offer.
        package init(_ system: borrowing KVMSystem) throws(KVMError) {
            leaves = Self.composed(from: try Self.supported(system))
        }

        private static func supported(_ system: borrowing KVMSystem) throws(KVMError) -> [Leaf] {
            let header = MemoryLayout<kvm_cpuid2>.size
            let stride = MemoryLayout<kvm_cpuid_entry2>.stride
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: header + stride * mostLeaves, alignment: 8)
            defer { buffer.deallocate() }
            buffer.initializeMemory(as: UInt8.self, repeating: 0)
            buffer.storeBytes(of: UInt32(mostLeaves), as: UInt32.self)
            let device = system.descriptor.rawValue
            _ = try kvm { () throws(SystemError) in
                try checked("ioctl KVM_GET_SUPPORTED_CPUID") {
                    aerie_kvm_ioctl_value(
                        device, AERIE_KVM_GET_SUPPORTED_CPUID, UInt(bitPattern: buffer.baseAddress))
                }
            }
            return (0..<min(Int(buffer.load(as: UInt32.self)), mostLeaves)).map {
                let entry = buffer.load(fromByteOffset: header + stride * $0, as: kvm_cpuid_entry2.self)
                return Leaf(
                    function: entry.function, index: entry.index, flags: entry.flags & 1, eax: entry.eax,
                    ebx: entry.ebx,
                    ecx: entry.ecx, edx: entry.edx)
            }
        }

        static func composed(from supported: [Leaf]) -> [Leaf] {
            let hasXSAVE = supported.contains { $0.function == 1 && $0.ecx & 1 << 26 != 0 }
            var result: [Leaf] = []
            for var leaf in supported {
                guard let mask = X86Baseline.mask(function: leaf.function, index: leaf.index) else { continue }
                if leaf.function == 0xD && !hasXSAVE { continue }
                leaf.eax &= mask.eax
                leaf.ebx &= mask.ebx
                leaf.ecx &= mask.ecx
                leaf.edx &= mask.edx
                if leaf.function == 0 { leaf.eax = min(leaf.eax, X86Baseline.highestLeaf) }
                if leaf.function == 0x8000_0000 { leaf.eax = min(leaf.eax, X86Baseline.highestExtendedLeaf) }
                if leaf.function == 0x4000_0000 { leaf.eax = 0x4000_0001 }
                result.append(leaf)
            }
            return result
        }

        /// The leaves of processor `index` of `count`: one socket, one thread a core; APIC numbers are the indices.
        func leaves(of index: Int, in count: Int) -> [Leaf] {
            leaves.map { leaf in
                var leaf = leaf
                switch leaf.function {
                case 1:
                    leaf.ebx = leaf.ebx & 0xFFFF | UInt32(count) << 16 | UInt32(index) << 24
                    // HTT: the number of processors in EBX counts.
                    leaf.edx = leaf.edx & ~(1 << 28) | (count > 1 ? 1 << 28 : 0)
                case 4 where leaf.eax & 0x1F != 0:
                    // Each core has the lower caches for itself, and all share the third level.
                    let isShared = leaf.eax >> 5 & 7 >= 3
                    leaf.eax = leaf.eax & 0x3FFF | UInt32(count - 1) << 26 | (isShared ? UInt32(count - 1) << 14 : 0)
                case 0xB:
                    leaf.edx = UInt32(index)
                default: break
                }
                return leaf
            } + topology(of: index, in: count)
        }

        /// Leaf 0xB: level 0 is a core's threads, level 1 a package's cores.
        private func topology(of index: Int, in count: Int) -> [Leaf] {
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
            guard words.count % 7 == 0, words.count / 7 <= Self.mostLeaves else {
                throw .badField(kind: record.kind, field: "leaves")
            }
            leaves = stride(from: 0, to: words.count, by: 7).map {
                Leaf(
                    function: words[$0], index: words[$0 + 1], flags: words[$0 + 2], eax: words[$0 + 3],
                    ebx: words[$0 + 4], ecx: words[$0 + 5], edx: words[$0 + 6])
            }
        }

        /// A feature that `other` has and these processors lack; nil when a machine may move from there to here.
        package func missingFeature(of other: X86Processors) -> String? {
            for theirs in other.leaves where X86Baseline.holdsFeatures(theirs.function, theirs.index) {
                let ours = leaves.first { $0.function == theirs.function && $0.index == theirs.index }
                let pairs = [
                    ("eax", theirs.eax, ours?.eax), ("ebx", theirs.ebx, ours?.ebx), ("ecx", theirs.ecx, ours?.ecx),
                    ("edx", theirs.edx, ours?.edx),
                ]
                for (register, wanted, found) in pairs where wanted & ~(found ?? 0) != 0 {
                    // EBX of leaf 1 is topology, EAX its model.
                    if theirs.function == 1 && (register == "eax" || register == "ebx") { continue }
                    let bit = (wanted & ~(found ?? 0)).trailingZeroBitCount
                    return "CPUID 0x\(String(theirs.function, radix: 16)) \(register) bit \(bit)"
                }
            }
            return nil
        }
    }
#endif
