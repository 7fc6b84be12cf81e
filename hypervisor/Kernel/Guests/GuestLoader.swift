import Support

/// Where a guest's kernel, RAM disk and device tree are in its memory. The kernel is where RISC-V kernels want to be, 2 MiB above the
/// start; the RAM disk and the tree are at the end.
struct GuestLayout {
    static let treeSize: UInt64 = 0x8000
    let kernel: UInt64
    let ramDisk: UInt64
    let tree: UInt64

    /// nil: the memory is too small.
    init?(_ entry: GuestEntry) {
        let end = GuestTables.memoryStart + entry.memory
        kernel = GuestTables.memoryStart + 0x20_0000
        tree = end - Self.treeSize
        ramDisk = (tree - min(entry.ramDisk.size, entry.memory)) & ~4095
        // The header of an Image says how much memory the kernel needs with its zeroed part.
        var kernelSize = entry.kernel.size
        let header: UnsafeMutablePointer<UInt64> = pointer(entry.kernel.address)
        if kernelSize >= 64, header[6] & 0xff_ffff_ffff == 0x56_4353_4952 { kernelSize = max(kernelSize, header[2]) }
        guard entry.memory >= 0x40_0000, kernelSize < entry.memory, entry.ramDisk.size < entry.memory,
            kernel + kernelSize <= ramDisk
        else { return nil }
    }
}

extension Guest {
    /// Gives the guest its memory, fills it, and starts its first vCPU. On refusal everything goes back.
    static func load(_ guest: UnsafeMutablePointer<Guest>) {
        guest.pointee.state = .loading
        if let problem = guest.makeDevices() { return guest.pointee.refuse(problem) }
        guard let layout = GuestLayout(guest.pointee.entry) else {
            return guest.pointee.refuse("its kernel and RAM disk do not fit its memory; give it more in GUESTS.json")
        }
        let entry = guest.pointee.entry
        let needed = entry.memory + ChunkAllocator.chunkSize
        guard needed <= hypervisor.pointee.memory.available else {
            return guest.pointee.refuse("more memory is wanted than is free; stop another guest, or give this one less")
        }
        guard guest.pointee.takeVCPUs(entry.vcpus) else {
            return guest.pointee.refuse("all 64 vCPUs of the machine are in use; stop another guest")
        }
        // `available` has just been enough, and the lock was kept since.
        guard let chunk = hypervisor.pointee.memory.allocate(UInt8(guest.pointee.index + 1)) else {
            fatal("the chunks of memory", "the count of free chunks is wrong")
        }
        hv_release()
        zero(chunk, ChunkAllocator.chunkSize)
        hv_acquire()
        guest.pointee.tables.configure(chunk: chunk)
        var place = GuestTables.memoryStart
        while place < GuestTables.memoryStart + entry.memory {
            // The state `loading` keeps the guest for this hart; `available` was enough, but others may have taken some since.
            guard let chunk = hypervisor.pointee.memory.allocate(UInt8(guest.pointee.index + 1)) else {
                return guest.pointee.refuse(
                    "more memory is wanted than is free; stop another guest, or give this one less")
            }
            guest.pointee.tables.map(place, to: chunk)
            hv_release()
            zero(chunk, ChunkAllocator.chunkSize)
            hv_acquire()
            place += ChunkAllocator.chunkSize
        }
        guest.pointee.prepareVCPUs()
        guest.pointee.takeInterruptFiles()
        guest.pointee.fill(layout)
        guest.pointee.state = .running
        guard let first = guest.pointee.vcpu(0) else { return }
        first.reset(entry: layout.kernel, argument: layout.tree)
        hypervisor.pointee.scheduler.wake(first)
    }

    private mutating func refuse(_ reason: StaticString) {
        release()
        state = .absent
        say("hypervisor: guest ")
        say(text: name)
        say(" does not start: ")
        say(reason)
        say("\n")
    }

    /// Copies the kernel and the RAM disk, and writes the device tree.
    private func fill(_ layout: GuestLayout) {
        let entry = entry
        let kernel: UnsafeMutablePointer<UInt8> = pointer(entry.kernel.address)
        let ramDisk: UnsafeMutablePointer<UInt8> = pointer(entry.ramDisk.address)
        let tables = tables
        hv_release()
        _ = tables.write(layout.kernel, from: kernel, entry.kernel.size)
        _ = tables.write(layout.ramDisk, from: ramDisk, entry.ramDisk.size)
        hv_acquire()
        guard let place = tables.translate(layout.tree) else { return }
        var tree = DeviceTreeWriter(at: place.address, size: GuestLayout.treeSize)
        tree.writeGuest(self, layout)
        hv_fence_instructions()
    }

    /// In a partition each vCPU has one hart, in the order of the list; else each may use all harts of the list.
    private func prepareVCPUs() {
        let all: UInt64 = 1 << UInt64(hypervisor.pointee.board.hartCount) - 1
        let chosen = entry.harts & all
        var rest = chosen == 0 ? all : chosen
        for id in 0..<vcpuCount {
            guard let vcpu = vcpu(UInt64(id)) else { continue }
            vcpu.pointee.affinity = rest
            vcpu.pointee.hgatp = tables.hgatp(vmid: UInt64(index) + 1)
            if hypervisor.pointee.isPartitioned {
                let own = rest & (~rest + 1)
                vcpu.pointee.affinity = own
                if rest != own { rest &= ~own }
            }
        }
    }
}

extension UnsafeMutablePointer where Pointee == hv_vcpu {
    /// The state in which SBI starts a hart: supervisor mode, translation off, a0 the hart, a1 the argument.
    func reset(entry: UInt64, argument: UInt64) {
        let registers = UnsafeMutableRawPointer(self)
        registers.initializeMemory(as: UInt8.self, repeating: 0, count: Int(HV_VCPU_SEPC))
        let context = registers + Int(HV_VCPU_VS)
        context.initializeMemory(as: UInt8.self, repeating: 0, count: Int(HV_VCPU_FCSR) + 8 - Int(HV_VCPU_VS))
        self[register: 10] = UInt64(pointee.id)
        self[register: 11] = argument
        pointee.sepc = entry
        pointee.sstatus = 1 << 8  // SPP: supervisor; FS: off, no hart holds its floating-point registers
        pointee.floats = nil
        // SPV and SPVP: entry goes to VS-mode, which is 64 bits wide; VTW: WFI traps, so that another vCPU can run.
        let waitTraps: UInt64 = hypervisor.pointee.isPartitioned ? 0 : 1 << 21
        pointee.hstatus = 1 << 7 | 1 << 8 | 2 << 32 | waitTraps
        if pointee.file != 0 {
            // VGEIN: the first guest interrupt file of its hart, which empties the file before it runs the vCPU.
            pointee.hstatus |= 1 << 12
            hv_set_resident(hypervisor.pointee.harts + pointee.affinity.trailingZeroBitCount, pointee.guest, 0)
        }
        pointee.vsiselect = 0
        pointee.vsstatus = 2 << 32
        // User mode has the counters, as firmware leaves them: programs read `time` without the kernel's help.
        pointee.scounteren = 7
        pointee.deadline = .max
        pointee.raised = 0
        pointee.flush = 1
    }
}

func zero(_ address: UInt64, _ size: UInt64) {
    let bytes: UnsafeMutablePointer<UInt8> = pointer(address)
    UnsafeMutableRawPointer(bytes).initializeMemory(as: UInt8.self, repeating: 0, count: Int(size))
}
