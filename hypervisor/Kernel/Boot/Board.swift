import Support

/// The parts of the board that the hypervisor uses, from the firmware's device tree.
struct Board {
    var timebase: UInt64 = 0
    /// The largest memory node; guests get their chunks from it.
    var memory: (address: UInt64, size: UInt64) = (0, 0)
    /// A 16550A: address, bytes between registers as a shift, interrupt.
    var uart: (address: UInt64, shift: UInt64, interrupt: BoardInterrupt) = (0, 0, BoardInterrupt())
    var interrupts = InterruptController.none
    /// Registers of virtio devices over MMIO, in the order of the tree.
    private(set) var virtio = InlineArray<16, VirtioPlace>(repeating: VirtioPlace())
    private(set) var virtioCount = 0
    var hartCount = 0
    /// Harts of the tree without the hypervisor extension, or more than the hypervisor has places for.
    var unusedHarts = 0
    /// Whether firmware lets supervisors have stimecmp and vstimecmp (Sstc).
    var hasTimerCompare = false
    /// Whether harts have guest interrupt files (GEILEN is not 0).
    var hasGuestFiles = false

    struct VirtioPlace {
        var address: UInt64 = 0
        var interrupt = BoardInterrupt()
    }

    /// Reads the tree. Harts get their entries in `harts`, the boot hart first.
    init(_ tree: DeviceTree, bootHart: UInt64, harts: UnsafeMutablePointer<hv_hart>) {
        hartCount = 1
        harts[0].id = bootHart
        var present: Int?
        var context = self
        tree.forEachNode { node in
            if node.depth == 1, tree.equals("cpus", at: node.name) {
                context.timebase = UInt64(node.word("timebase-frequency") ?? 0)
            }
            if node.lists("cpu", in: "device_type") {
                present = context.addHart(node, bootHart: bootHart, harts: harts)
            } else if node.lists("riscv,cpu-intc"), let hart = present {
                harts[hart].interrupt_phandle = node.word("phandle") ?? 0
                harts[hart].interrupt_phandle_known = 1
            } else if node.lists("memory", in: "device_type") {
                var index = 0
                while let range = node.range(index) {
                    if range.size > context.memory.size { context.memory = range }
                    index += 1
                }
            } else {
                context.addDevice(node)
            }
        }
        self = context
        interrupts = InterruptController(tree, harts, count: hartCount)
    }

    private mutating func addHart(
        _ node: DeviceTree.Node, bootHart: UInt64, harts: UnsafeMutablePointer<hv_hart>
    ) -> Int? {
        guard let id = node.range()?.address, !node.lists("disabled", in: "status") else { return nil }
        if id == bootHart { return 0 }
        guard hartCount < Int(HV_HARTS) else {
            unusedHarts += 1
            return nil
        }
        harts[hartCount].id = id
        hartCount += 1
        return hartCount - 1
    }

    private mutating func addDevice(_ node: DeviceTree.Node) {
        guard let range = node.range() else { return }
        if uart.address == 0, node.lists("ns16550a") || node.lists("ns16550") {
            uart = (range.address, UInt64(node.word("reg-shift") ?? 0), BoardInterrupt(node))
        } else if node.lists("virtio,mmio"), range.address != 0, virtioCount < virtio.count {
            virtio[virtioCount] = VirtioPlace(address: range.address, interrupt: BoardInterrupt(node))
            virtioCount += 1
        }
    }
}
