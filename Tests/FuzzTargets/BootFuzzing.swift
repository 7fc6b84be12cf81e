internal import GuestBoot
internal import GuestMemory
internal import HostSystem

/// Entries for the files that a machine boots.
enum BootFuzzing {
    // Small, so that a file that asks for much memory is refused soon. One for all inputs: loading does not read it.
    private static let riscvMemory = memory(base: 0x8000_0000)
    private static let x86Memory = memory(base: 0)

    private static func memory(base: UInt64) -> GuestMemory {
        do {
            return try GuestMemory(ranges: [(base, 16 << 20)])
        } catch {
            preconditionFailure("the host has 16 MiB: \(error)")
        }
    }

    static func riscv(kernel bytes: [UInt8]) {
        guard let source = try? BootSource(BootItem(.kernel, "input"), bytes: bytes) else { return }
        load(try? RISCVBoot(kernel: source, initrd: nil, commandLine: "console=ttyS0", firmware: nil))
    }

    static func riscv(firmware bytes: [UInt8]) {
        guard let source = try? BootSource(BootItem(.firmware, "input"), bytes: bytes) else { return }
        load(try? RISCVBoot(kernel: nil, initrd: nil, commandLine: nil, firmware: source))
    }

    private static func load(_ boot: RISCVBoot?) {
        guard let result = try? boot?.load(memory: riscvMemory, deviceTree: DeviceTree()) else { return }
        check(result.placements, riscvMemory)
    }

    static func x86(kernel bytes: [UInt8]) {
        guard let source = try? BootSource(BootItem(.kernel, "input"), bytes: bytes),
            let boot = try? X86Boot(kernel: source, initrd: nil, commandLine: "console=ttyS0")
        else { return }
        let map = [X86MemoryMapEntry(base: 0, size: x86Memory.size, kind: .memory)]
        guard let result = try? boot.load(memory: x86Memory, map: map, rsdp: 0xE0000) else { return }
        check(result.placements, x86Memory)
    }

    /// Placements lie in memory and do not overlap.
    private static func check(_ placements: [BootPlacement], _ memory: GuestMemory) {
        let sorted = placements.sorted { $0.address < $1.address }
        for (placement, next) in zip(sorted, sorted.dropFirst()) {
            precondition(placement.address + placement.size <= next.address, "placements overlap")
        }
        for placement in sorted {
            precondition(
                memory.hostAddress(of: placement.address, count: placement.size) != nil, "a placement is not in memory")
        }
    }

    /// A tree that can be read is the same after it was written and read again.
    static func deviceTree(_ bytes: [UInt8]) {
        guard let tree = try? DeviceTree(blob: bytes) else { return }
        let encoded = tree.encoded()
        guard encoded.count <= DeviceTree.blobLimit else { return }
        precondition((try? DeviceTree(blob: encoded)) == tree, "a device tree changes when it is written")
    }
}
