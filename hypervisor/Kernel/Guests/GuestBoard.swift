import Support

extension DeviceTreeWriter {
    private static let controller: UInt32 = 100
    private static let files: UInt32 = 101

    /// The board that a guest sees: its memory, harts, interrupt controller and UART, laid out as on QEMU's `virt`.
    mutating func writeGuest(_ guest: Guest, _ layout: GuestLayout) {
        begin("")
        property("#address-cells", word: 2)
        property("#size-cells", word: 2)
        property("compatible", text: "riscv-virtio")
        property("model", text: "aerie,hypervisor-guest")
        writeChosen(guest.entry, layout)
        begin("memory", unit: GuestTables.memoryStart)
        property("device_type", text: "memory")
        range(GuestTables.memoryStart, guest.entry.memory)
        end()
        writeHarts(guest)
        begin("soc")
        property("#address-cells", word: 2)
        property("#size-cells", word: 2)
        property("compatible", text: "simple-bus")
        property("ranges")
        if guest.hasInterruptFiles { writeInterruptFiles(guest.entry.vcpus) } else { writePLIC(guest.entry.vcpus) }
        begin("serial", unit: VirtualUART.address)
        property("compatible", text: "ns16550a")
        range(VirtualUART.address, 0x100)
        writeInterrupt(guest, VirtualUART.interrupt, isEdge: false)
        property("clock-frequency", word: 3_686_400)
        end()
        if guest.disk.range != nil { writeVirtio(guest, VirtualDisk.address, VirtualDisk.interrupt) }
        if guest.network.isPresent { writeVirtio(guest, VirtualNetwork.address, VirtualNetwork.interrupt) }
        end()
        end()
        finish()
    }

    private mutating func writeVirtio(_ guest: Guest, _ address: UInt64, _ interrupt: Int) {
        begin("virtio_mmio", unit: address)
        property("compatible", text: "virtio,mmio")
        range(address, VirtioRegisters.size)
        writeInterrupt(guest, interrupt, isEdge: true)
        end()
    }

    /// An edge needs no more than its message; for a level the driver would write to the APLIC once more.
    private mutating func writeInterrupt(_ guest: Guest, _ interrupt: Int, isEdge: Bool) {
        if guest.hasInterruptFiles {
            property("interrupts", words: UInt32(interrupt), isEdge ? 1 : 4)
        } else {
            property("interrupts", word: UInt32(interrupt))
        }
        property("interrupt-parent", word: Self.controller)
    }

    private mutating func writeChosen(_ entry: GuestEntry, _ layout: GuestLayout) {
        begin("chosen")
        property("bootargs", text: entry.commandLine, most: 256)
        property("stdout-path", text: "/soc/serial@10000000")
        if hypervisor.pointee.seeds.isSeeded { property("rng-seed", littleEndian: hypervisor.pointee.seeds.next()) }
        if entry.ramDisk.size > 0 {
            property("linux,initrd-start", address: layout.ramDisk)
            property("linux,initrd-end", address: layout.ramDisk + entry.ramDisk.size)
        }
        end()
    }

    private mutating func writeHarts(_ guest: Guest) {
        let hasTimer = hypervisor.pointee.board.hasTimerCompare
        begin("cpus")
        property("#address-cells", word: 1)
        property("#size-cells", word: 0)
        property("timebase-frequency", word: UInt32(truncatingIfNeeded: hypervisor.pointee.board.timebase))
        for hart in 0..<guest.entry.vcpus {
            begin("cpu", unit: UInt64(hart))
            property("device_type", text: "cpu")
            property("reg", word: UInt32(hart))
            property("status", text: "okay")
            property("compatible", text: "riscv")
            // Vectors are not in the list: the world switch does not save them.
            property(
                "riscv,isa",
                text: guest.hasInterruptFiles
                    ? hasTimer
                        ? "rv64imafdc_zicntr_zicsr_zifencei_ssaia_sstc" : "rv64imafdc_zicntr_zicsr_zifencei_ssaia"
                    : hasTimer ? "rv64imafdc_zicntr_zicsr_zifencei_sstc" : "rv64imafdc_zicntr_zicsr_zifencei")
            property("mmu-type", text: "riscv,sv39")
            begin("interrupt-controller")
            property("#interrupt-cells", word: 1)
            property("interrupt-controller")
            property("compatible", text: "riscv,cpu-intc")
            property("phandle", word: UInt32(hart) + 1)
            end()
            end()
        }
        end()
    }

    private mutating func writePLIC(_ harts: Int) {
        begin("plic", unit: VirtualPLIC.address)
        property("compatible", text: "sifive,plic-1.0.0")
        property("#interrupt-cells", word: 1)
        property("#address-cells", word: 0)
        property("interrupt-controller")
        range(VirtualPLIC.address, VirtualPLIC.size)
        property("riscv,ndev", word: 31)
        contexts("interrupts-extended", harts, { UInt32($0) + 1 }, 9)
        property("phandle", word: Self.controller)
        end()
    }

    /// The interrupt files of the vCPUs, and the APLIC that sends the devices' messages to them.
    private mutating func writeInterruptFiles(_ harts: Int) {
        guard case .messages(_, let imsic) = hypervisor.pointee.board.interrupts else { return }
        begin("imsics", unit: VirtualAPLIC.files)
        property("compatible", text: "riscv,imsics")
        property("#interrupt-cells", word: 0)
        property("interrupt-controller")
        property("msi-controller")
        property("#msi-cells", word: 0)
        range(VirtualAPLIC.files, 0x1000 * UInt64(harts))
        property("riscv,num-ids", word: imsic.identities)
        contexts("interrupts-extended", harts, { UInt32($0) + 1 }, 9)
        property("phandle", word: Self.files)
        end()
        begin("aplic", unit: VirtualAPLIC.address)
        property("compatible", text: "riscv,aplic")
        property("#interrupt-cells", word: 2)
        property("#address-cells", word: 0)
        property("interrupt-controller")
        range(VirtualAPLIC.address, VirtualAPLIC.size)
        property("riscv,num-sources", word: UInt32(VirtualAPLIC.sources))
        property("msi-parent", word: Self.files)
        property("phandle", word: Self.controller)
        end()
    }
}
