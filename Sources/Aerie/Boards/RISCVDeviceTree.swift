internal import GuestBoot
internal import HostSystem
internal import Machine
internal import PCI
internal import PlatformDevices
internal import RISCV

/// Describes the RISC-V board to its guest, with the bindings that QEMU's `virt` uses.
enum RISCVDeviceTree {
    /// - Parameter pciHighWindow: guest-physical addresses for registers of 64 bits.
    static func make(_ configuration: Configuration, pciHighWindow: (base: UInt64, size: UInt64)) -> DeviceTree {
        let harts = configuration.cpus
        var tree = DeviceTree()
        let processors = (0..<harts).map { _ in tree.makePhandle() }
        let interruptControllers = (0..<harts).map { _ in tree.makePhandle() }
        let wires = tree.makePhandle()
        let advanced: AdvancedHandles? =
            switch configuration.interrupts ?? .plic {
            case .plic: nil
            case .aia:
                AdvancedHandles(
                    machineController: tree.makePhandle(), files: (tree.makePhandle(), tree.makePhandle()))
            case .aplic: AdvancedHandles(machineController: tree.makePhandle(), files: nil)
            }
        let handles = Handles(
            processors: processors, harts: interruptControllers, wires: wires, advanced: advanced,
            test: tree.makePhandle())

        tree.root.set("#address-cells", cells: [2])
        tree.root.set("#size-cells", cells: [2])
        tree.root.set("compatible", string: "riscv-virtio")
        tree.root.set("model", string: "riscv-virtio,aerie")
        tree.root.add(chosen(configuration.console))
        tree.root.add(memoryNode(configuration.bootMemory))
        tree.root.add(cpus(handles, configuration))
        tree.root.add(power("poweroff", value: 0x5555, test: handles.test))
        tree.root.add(power("reboot", value: 0x7777, test: handles.test))
        tree.root.add(flash())
        tree.root.add(firmwareConfiguration())
        tree.root.add(soc(configuration, handles, pciHighWindow: pciHighWindow))
        return tree
    }

    struct Handles {
        let processors: [UInt32]
        /// The interrupt controllers of harts.
        let harts: [UInt32]
        /// The controller of the devices' wires, as a supervisor uses it.
        let wires: UInt32
        /// Nil with a PLIC.
        let advanced: AdvancedHandles?
        let test: UInt32
    }

    private static func chosen(_ console: Configuration.Console) -> DeviceTree.Node {
        var node = DeviceTree.Node("chosen")
        if console == .serial {
            node.set("stdout-path", string: "/soc/serial@\(hexadecimal(RISCVMemoryMap.uart))")
        }
        return node
    }

    private static func memoryNode(_ size: UInt64) -> DeviceTree.Node {
        var node = DeviceTree.Node("memory@\(hexadecimal(RISCVMemoryMap.memory))")
        node.set("device_type", string: "memory")
        node.set("reg", cells64: [RISCVMemoryMap.memory, size])
        return node
    }

    // MARK: Processors

    private static func cpus(_ handles: Handles, _ configuration: Configuration) -> DeviceTree.Node {
        let processor = configuration.processor ?? Processor()
        var cpus = DeviceTree.Node("cpus")
        cpus.set("#address-cells", cells: [1])
        cpus.set("#size-cells", cells: [0])
        cpus.set("timebase-frequency", cells: [UInt32(TimeBase.frequency)])
        let extensions = processor.deviceTreeExtensions(configuration.interrupts ?? .plic)
        for (index, controller) in handles.harts.enumerated() {
            var cpu = DeviceTree.Node("cpu@\(hexadecimal(UInt64(index)))")
            cpu.set(phandle: handles.processors[index])
            cpu.set("device_type", string: "cpu")
            cpu.set("reg", cells: [UInt32(index)])
            cpu.set("status", string: "okay")
            cpu.set("compatible", string: "riscv")
            // The older form is one string: single letters first, then the others with underscores between them.
            let letters = extensions.filter { $0.count == 1 }.joined()
            let isa = "rv64" + ([letters] + extensions.filter { $0.count > 1 }).joined(separator: "_")
            cpu.set("riscv,isa", string: isa)
            cpu.set("riscv,isa-base", string: "rv64i")
            cpu.set("riscv,isa-extensions", strings: extensions)
            for (one, name) in [(Processor.Extension.zicbom, "cbom"), (.zicbop, "cbop"), (.zicboz, "cboz")]
            where processor.has(one) {
                cpu.set("riscv,\(name)-block-size", cells: [UInt32(cacheBlockSize)])
            }
            cpu.set("mmu-type", string: "riscv,\(processor.pagingMode.rawValue)")
            var interrupts = DeviceTree.Node("interrupt-controller")
            interrupts.set("#interrupt-cells", cells: [1])
            interrupts.set("interrupt-controller")
            interrupts.set("compatible", string: "riscv,cpu-intc")
            interrupts.set(phandle: controller)
            cpu.add(interrupts)
            cpus.add(cpu)
        }
        cpus.add(topology(handles.processors))
        return cpus
    }

    /// All harts are cores of one package (Linux, Documentation/devicetree/bindings/cpu/cpu-topology.txt).
    private static func topology(_ processors: [UInt32]) -> DeviceTree.Node {
        var cluster = DeviceTree.Node("cluster0")
        for (index, processor) in processors.enumerated() {
            var core = DeviceTree.Node("core\(index)")
            core.set("cpu", cells: [processor])
            cluster.add(core)
        }
        var map = DeviceTree.Node("cpu-map")
        map.add(cluster)
        return map
    }

    // MARK: Devices

    /// A way to end or restart the machine: a write to the test device.
    private static func power(_ name: String, value: UInt32, test: UInt32) -> DeviceTree.Node {
        var node = DeviceTree.Node(name)
        node.set("compatible", string: "syscon-\(name)")
        node.set("regmap", cells: [test])
        node.set("offset", cells: [0])
        node.set("value", cells: [value])
        return node
    }

    private static func flash() -> DeviceTree.Node {
        var node = DeviceTree.Node("flash@\(hexadecimal(RISCVMemoryMap.flash[0]))")
        node.set("compatible", string: "cfi-flash")
        node.set("reg", cells64: RISCVMemoryMap.flash.flatMap { [$0, FlashBank.size] })
        node.set("bank-width", cells: [4])
        return node
    }

    private static func firmwareConfiguration() -> DeviceTree.Node {
        var node = device("fw-cfg", RISCVMemoryMap.firmwareConfiguration, FirmwareConfiguration.size)
        node.set("compatible", string: "qemu,fw-cfg-mmio")
        node.set("dma-coherent")
        return node
    }

    private static func soc(
        _ configuration: Configuration, _ handles: Handles, pciHighWindow: (base: UInt64, size: UInt64)
    ) -> DeviceTree.Node {
        var soc = DeviceTree.Node("soc")
        soc.set("#address-cells", cells: [2])
        soc.set("#size-cells", cells: [2])
        soc.set("compatible", string: "simple-bus")
        soc.set("ranges")
        for node in interruptControllers(handles, configuration) { soc.add(node) }
        soc.add(aclint(handles))
        soc.add(supervisorSoftwareInterrupts(handles))

        var test = device("test", RISCVMemoryMap.testFinisher, TestFinisher.size)
        test.set("compatible", strings: ["sifive,test1", "sifive,test0", "syscon"])
        test.set(phandle: handles.test)
        soc.add(test)

        var rtc = device("rtc", RISCVMemoryMap.rtc, GoldfishRTC.size)
        rtc.set("compatible", string: "google,goldfish-rtc")
        rtc.interrupt(RISCVMemoryMap.Source.rtc, handles)
        soc.add(rtc)

        // Linux, Documentation/devicetree/bindings/rng/microsoft,vmgenid.yaml.
        var generation = device("rng", RISCVMemoryMap.generation, GenerationDevice.size)
        generation.set("compatible", string: "microsoft,vmgenid")
        generation.interrupt(RISCVMemoryMap.Source.generation, handles)
        soc.add(generation)

        if configuration.watchdog != .off {
            var watchdog = device("watchdog", RISCVMemoryMap.watchdog, AllwinnerWatchdog.size)
            watchdog.set("compatible", string: "allwinner,sun20i-d1-wdt")
            soc.add(watchdog)
        }

        var uart = device("serial", RISCVMemoryMap.uart, 0x100)
        uart.set("compatible", string: "ns16550a")
        uart.set("clock-frequency", cells: [3_686_400])
        uart.interrupt(RISCVMemoryMap.Source.uart, handles)
        soc.add(uart)

        for slot in 0..<RISCVMemoryMap.virtioSlots {
            let base = RISCVMemoryMap.virtio + UInt64(slot) * RISCVMemoryMap.virtioStride
            var virtio = device("virtio_mmio", base, RISCVMemoryMap.virtioStride)
            virtio.set("compatible", string: "virtio,mmio")
            virtio.set("dma-coherent")
            virtio.interrupt(RISCVMemoryMap.Source.virtio + slot, handles)
            soc.add(virtio)
        }
        soc.add(pci(highWindow: pciHighWindow, handles))
        return soc
    }

    /// The host bridge (IEEE 1275 PCI bus binding; Linux, Documentation/devicetree/bindings/pci/host-generic-pci.yaml).
    private static func pci(highWindow: (base: UInt64, size: UInt64), _ handles: Handles) -> DeviceTree.Node {
        var node = device("pci", RISCVMemoryMap.pciConfiguration, PCIHost.configurationSize)
        node.set("compatible", string: "pci-host-ecam-generic")
        node.set("device_type", string: "pci")
        node.set("#address-cells", cells: [3])
        node.set("#size-cells", cells: [2])
        node.set("#interrupt-cells", cells: [1])
        node.set("bus-range", cells: [0, 255])
        node.set("linux,pci-domain", cells: [0])
        node.set("dma-coherent")
        // The kind of space, its address on the bus and for processors, and its size.
        func range(_ kind: UInt32, _ bus: UInt64, _ base: UInt64, _ size: UInt64) -> [UInt32] {
            [kind] + [bus, base, size].flatMap { [UInt32($0 >> 32), UInt32(truncatingIfNeeded: $0)] }
        }
        let ports: UInt32 = 0x0100_0000
        let memory32: UInt32 = 0x0200_0000
        // Not prefetchable, as on QEMU's board: U-Boot without 64-bit PCI ignores such a window, but would place registers
        // in a prefetchable one and fail.
        let memory64: UInt32 = 0x0300_0000
        let (low, lowSize) = (RISCVMemoryMap.pciWindow, RISCVMemoryMap.pciWindowSize)
        node.set(
            "ranges",
            cells: range(ports, 0, RISCVMemoryMap.pciPorts, PCIPortWindow.size) + range(memory32, low, low, lowSize)
                + range(memory64, highWindow.base, highWindow.base, highWindow.size))
        // Of a device's number the low two bits count: pins 1 to 4 are INTA to INTD, each slot's on another line.
        node.set("interrupt-map-mask", cells: [0x1800, 0, 0, 7])
        let pins = (0..<4).flatMap { slot in (0..<4).map { pin in (slot, pin) } }
        node.set(
            "interrupt-map",
            cells: pins.flatMap { slot, pin in
                let source = RISCVMemoryMap.Source.pci + PCIHost.line(ofSlot: slot + pin)
                return [UInt32(slot) << 11, 0, 0, UInt32(pin + 1), handles.wires] + handles.specifier(source)
            })
        if let files = handles.advanced?.files { node.set("msi-parent", cells: [files.supervisor]) }
        return node
    }

    private static func aclint(_ handles: Handles) -> DeviceTree.Node {
        var node = device("clint", RISCVMemoryMap.aclint, ACLINT.size)
        node.set("compatible", strings: ["sifive,clint0", "riscv,clint0"])
        let machineTimer: UInt32 = 7
        node.set(
            "interrupts-extended",
            cells: handles.harts.flatMap {
                [$0, UInt32(RISCVMemoryMap.Wire.machineSoftware), $0, machineTimer]
            })
        return node
    }

    private static func supervisorSoftwareInterrupts(_ handles: Handles) -> DeviceTree.Node {
        var node = device(
            "sswi", RISCVMemoryMap.supervisorSoftwareInterrupts, ACLINTSupervisor.size)
        node.set("compatible", string: "riscv,aclint-sswi")
        node.set("#interrupt-cells", cells: [0])
        node.set("interrupt-controller")
        node.set(
            "interrupts-extended",
            cells: handles.harts.flatMap { [$0, UInt32(RISCVMemoryMap.Wire.supervisorSoftware)] })
        return node
    }

    static func device(_ name: String, _ base: UInt64, _ size: UInt64) -> DeviceTree.Node {
        var node = DeviceTree.Node("\(name)@\(hexadecimal(base))")
        node.set("reg", cells64: [base, size])
        return node
    }

    static func hexadecimal(_ value: UInt64) -> String { String(value, radix: 16) }
}

extension DeviceTree.Node {
    fileprivate mutating func interrupt(_ number: Int, _ handles: RISCVDeviceTree.Handles) {
        set("interrupt-parent", cells: [handles.wires])
        set("interrupts", cells: handles.specifier(number))
    }
}

extension DeviceTree {
    /// The tree with fresh random numbers for the guest's generator, which needs some before any driver runs.
    func withRandomSeed() throws(SystemError) -> DeviceTree {
        var seed = InlineArray<64, UInt8>(repeating: 0)
        try withUnsafeMutableBytes(of: &seed) { bytes throws(SystemError) in try fillWithRandomBytes(bytes) }
        var tree = self
        tree.root.update("chosen") { chosen in
            chosen.set("rng-seed", bytes: seed.indices.map { seed[$0] })
        }
        return tree
    }
}
