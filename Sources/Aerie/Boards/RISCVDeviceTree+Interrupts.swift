internal import GuestBoot
internal import PlatformDevices

extension RISCVDeviceTree {
    /// The other parts of the Advanced Interrupt Architecture; `Handles.wires` is the supervisor's domain of the APLIC.
    struct AdvancedHandles {
        let machineController: UInt32
        /// Interrupt files; nil where the APLIC interrupts harts directly.
        let files: (machine: UInt32, supervisor: UInt32)?
    }

    static func interruptControllers(_ handles: Handles, _ configuration: Configuration) -> [DeviceTree.Node] {
        guard let advanced = handles.advanced else { return [plic(handles)] }
        var machine = [machineAPLIC(handles, advanced)]
        var supervisor = [
            aplic(
                handles, RISCVMemoryMap.aplicSupervisor, wire: RISCVMemoryMap.Wire.supervisorExternal,
                handle: handles.wires, messages: advanced.files?.supervisor)
        ]
        if let files = advanced.files {
            machine.insert(
                imsic(
                    handles, RISCVMemoryMap.imsicMachine, wire: RISCVMemoryMap.Wire.machineExternal, files: 1,
                    handle: files.machine), at: 0)
            supervisor.insert(
                imsic(
                    handles, RISCVMemoryMap.imsicSupervisor, wire: RISCVMemoryMap.Wire.supervisorExternal,
                    files: 1 + RISCVInterrupts.guestFiles(configuration), handle: files.supervisor), at: 0)
        }
        // Without firmware the guest is a supervisor, and Aerie has delegated everything to its domain.
        if configuration.firmware == nil {
            for index in machine.indices { machine[index].set("status", string: "disabled") }
        }
        return machine + supervisor
    }

    private static func plic(_ handles: Handles) -> DeviceTree.Node {
        var plic = device("plic", RISCVMemoryMap.plic, PLIC.size)
        plic.set("compatible", strings: ["sifive,plic-1.0.0", "riscv,plic0"])
        plic.set("#interrupt-cells", cells: [1])
        plic.set("#address-cells", cells: [0])
        plic.set("interrupt-controller")
        plic.set("riscv,ndev", cells: [UInt32(RISCVMemoryMap.Source.count)])
        plic.set(
            "interrupts-extended",
            cells: handles.harts.flatMap {
                [
                    $0, UInt32(RISCVMemoryMap.Wire.machineExternal), $0,
                    UInt32(RISCVMemoryMap.Wire.supervisorExternal),
                ]
            })
        plic.set(phandle: handles.wires)
        return plic
    }

    /// The interrupt files of a level (Linux, Documentation/devicetree/bindings/interrupt-controller/riscv,imsics.yaml).
    private static func imsic(
        _ handles: Handles, _ base: UInt64, wire: Int, files: Int, handle: UInt32
    ) -> DeviceTree.Node {
        var node = device("imsics", base, IMSIC.size(harts: handles.harts.count, filesOfHart: files))
        node.set("compatible", string: "riscv,imsics")
        node.set("#interrupt-cells", cells: [0])
        node.set("interrupt-controller")
        node.set("msi-controller")
        node.set("interrupts-extended", cells: handles.harts.flatMap { [$0, UInt32(wire)] })
        node.set("riscv,num-ids", cells: [UInt32(IMSIC.identities)])
        // For interrupts between processors, in QEMU's tree.
        node.set("riscv,ipi-id", cells: [1])
        if files > 1 { node.set("riscv,guest-index-bits", cells: [UInt32(IMSIC.guestIndexBits(files: files))]) }
        node.set(phandle: handle)
        return node
    }

    /// A domain (Linux, Documentation/devicetree/bindings/interrupt-controller/riscv,aplic.yaml).
    ///
    /// - Parameters:
    ///   - wire: the interrupt of harts that the domain raises itself.
    ///   - messages: the interrupt files that take its messages instead; nil for none.
    private static func aplic(
        _ handles: Handles, _ base: UInt64, wire: Int, handle: UInt32, messages: UInt32?
    ) -> DeviceTree.Node {
        var node = device("aplic", base, APLIC.size)
        node.set("compatible", string: "riscv,aplic")
        node.set("#address-cells", cells: [0])
        node.set("#interrupt-cells", cells: [2])
        node.set("interrupt-controller")
        node.set("riscv,num-sources", cells: [UInt32(RISCVMemoryMap.Source.advancedCount)])
        if let messages {
            node.set("msi-parent", cells: [messages])
        } else {
            node.set("interrupts-extended", cells: handles.harts.flatMap { [$0, UInt32(wire)] })
        }
        node.set(phandle: handle)
        return node
    }

    private static func machineAPLIC(_ handles: Handles, _ advanced: AdvancedHandles) -> DeviceTree.Node {
        var node = aplic(
            handles, RISCVMemoryMap.aplicMachine, wire: RISCVMemoryMap.Wire.machineExternal,
            handle: advanced.machineController, messages: advanced.files?.machine)
        node.set("riscv,children", cells: [handles.wires])
        // The name of the binding, and that of its draft, which QEMU 7.2 and OpenSBI before 1.3 use.
        for name in ["riscv,delegation", "riscv,delegate"] {
            node.set(name, cells: [handles.wires, 1, UInt32(RISCVMemoryMap.Source.advancedCount)])
        }
        return node
    }
}

extension RISCVDeviceTree.Handles {
    /// The cells for a wire: its number, and for an APLIC that it is high while it is active.
    func specifier(_ source: Int) -> [UInt32] { [UInt32(source)] + (advanced == nil ? [] : [4]) }
}
