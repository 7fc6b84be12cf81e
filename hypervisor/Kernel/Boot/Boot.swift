import Support

/// The boot hart begins here, on its stack, with translation off.
@c(hypervisor_boot)
public func boot(_ hartID: UInt64, _ treeAddress: UInt) -> Never {
    guard let tree = DeviceTree(at: treeAddress) else { fatal("the device tree", "a1 has no valid tree") }
    let memory = takeMemory(tree)
    let state = makeState(memory.chunk, tree, hartID)
    hypervisorState = state
    state.pointee.memory = memory.allocator.pointee
    state.pointee.table = memory.table
    state.pointee.seeds.take(from: tree)
    protectMemory(memory.chunk, memory.imageEnd)
    state.pointee.console.start(state.pointee.board)
    InterruptController.start()
    state.pointee.console.enableInput()
    prepareHart(state.pointee.harts)
    introduce()
    Devices.start()
    startOtherHarts()
    hv_acquire()
    Guest.startAll()
    runHart(state.pointee.harts)
}

/// Every other hart begins here.
@c(hypervisor_secondary)
public func secondary(_ hart: UnsafeMutablePointer<hv_hart>) -> Never {
    hv_acquire()
    prepareHart(hart)
    hart.pointee.online = 1
    InterruptController.start(on: hart)
    runHart(hart)
}

/// Leaves boot: from here on the hart runs guests, or waits.
private func runHart(_ hart: Hart) -> Never {
    let next = chooseNext(hart)
    hv_release()
    hv_enter(next)
}

/// The chunk for the hypervisor's state, and the allocator without what the board, firmware and the image hold.
private struct TakenMemory {
    let chunk: UInt64
    let allocator: UnsafeMutablePointer<ChunkAllocator>
    let table: GuestTable?
    let imageEnd: UInt64
}

private func takeMemory(_ tree: DeviceTree) -> TakenMemory {
    let image = hv_address_of_image_start()
    let table = GuestTable(at: hv_address_of_image_end())
    let imageEnd = (hv_address_of_image_end() + (table?.size ?? 0) + 4095) & ~4095
    // The allocator is large: its first place is the first free chunk's end, found by hand.
    var largest: (address: UInt64, size: UInt64) = (0, 0)
    tree.forEachNode { node in
        guard node.lists("memory", in: "device_type"), let range = node.range(), range.size > largest.size else {
            return
        }
        largest = range
    }
    let provisional = (imageEnd + ChunkAllocator.chunkSize - 1) & ~(ChunkAllocator.chunkSize - 1)
    let allocator: UnsafeMutablePointer<ChunkAllocator> = pointer(provisional)
    allocator.initialize(to: ChunkAllocator())
    allocator.pointee.configure(largest)
    allocator.pointee.reserve(image & ~(ChunkAllocator.chunkSize - 1), imageEnd - image + (2 << 20))
    allocator.pointee.reserve(largest.address, image > largest.address ? image - largest.address : 0)
    allocator.pointee.reserve(UInt64(UInt(bitPattern: tree.base)), UInt64(tree.size))
    tree.forEachReservation { allocator.pointee.reserve($0, $1) }
    reserveNodes(tree, allocator)
    allocator.pointee.reserve(provisional, ChunkAllocator.chunkSize)
    guard let chunk = allocator.pointee.allocate(ChunkAllocator.hypervisor) else {
        fatal("memory", "no chunk of 2 MiB is free")
    }
    return TakenMemory(chunk: chunk, allocator: allocator, table: table, imageEnd: imageEnd)
}

/// The children of /reserved-memory are the firmware's.
private func reserveNodes(_ tree: DeviceTree, _ allocator: UnsafeMutablePointer<ChunkAllocator>) {
    var isInside = false
    tree.forEachNode { node in
        if node.depth == 1 { isInside = tree.equals("reserved-memory", at: node.name) }
        guard isInside, node.depth == 2, let range = node.range() else { return }
        allocator.pointee.reserve(range.address, range.size)
    }
}

/// Lays out the hypervisor's chunk: 1 MiB of page tables, then the state, harts, vCPUs, guests.
private func makeState(_ chunk: UInt64, _ tree: DeviceTree, _ hartID: UInt64) -> UnsafeMutablePointer<Hypervisor> {
    let bytes: UnsafeMutablePointer<UInt8> = pointer(chunk)
    UnsafeMutableRawPointer(bytes).initializeMemory(as: UInt8.self, repeating: 0, count: 2 << 20)
    var place = chunk + (1 << 20)
    func take<T>(_ type: T.Type, _ count: Int) -> UnsafeMutablePointer<T> {
        let start = (place + 63) & ~63
        place = start + UInt64(MemoryLayout<T>.stride * count)
        return pointer(start)
    }
    let harts = take(hv_hart.self, Int(HV_HARTS))
    let nobodies = take(hv_vcpu.self, Int(HV_HARTS))
    let vcpus = take(hv_vcpu.self, Hypervisor.mostVCPUs)
    let guests = take(Guest.self, GuestTable.most)
    let disks = take(DiskDriver.self, Devices.mostDisks)
    let card = take(NetworkDriver.self, 1)
    let chain = take(Chain.self, 1)
    let staging = take(UInt8.self, 2048)
    let state = take(Hypervisor.self, 1)
    for index in 0..<Devices.mostDisks { (disks + index).initialize(to: DiskDriver(index: index)) }
    card.initialize(to: NetworkDriver())
    chain.initialize(to: Chain())
    for index in 0..<GuestTable.most { (guests + index).initialize(to: Guest(index: index)) }
    for index in 0..<Hypervisor.mostVCPUs { vcpus[index].index = UInt8(index) }
    let board = Board(tree, bootHart: hartID, harts: harts)
    let stride = UInt64(HV_STACK_SIZE + HV_GUARD_SIZE)
    for index in 0..<Int(HV_HARTS) {
        harts[index].index = UInt32(index)
        harts[index].stack = hv_address_of_stacks() + stride * UInt64(index + 1)
        harts[index].nobody = nobodies + index
        harts[index].loaded = nobodies + index
        nobodies[index].deadline = .max
    }
    harts[0].online = 1
    state.initialize(
        to: Hypervisor(
            board: board, harts: harts, vcpus: vcpus, guests: guests, disks: disks, card: card, chain: chain,
            staging: UInt64(UInt(bitPattern: staging)), scheduler: Scheduler(timebase: board.timebase)))
    return state
}

/// Makes the hypervisor's page tables, and finds what is the same on every hart: guest interrupt files, timers, VMIDs.
private func protectMemory(_ chunk: UInt64, _ imageEnd: UInt64) {
    if case .messages(_, let imsic) = hypervisor.pointee.board.interrupts, imsic.hasGuestFiles {
        hv_write_hgeie(.max)
        hypervisor.pointee.board.hasGuestFiles = hv_read_hgeie() & 2 != 0
    }
    var tables = OwnTables(pool: chunk, size: 1 << 20)
    tables.mapBoard(hypervisor.pointee.board, imageEnd: imageEnd)
    hypervisor.pointee.satp = tables.satp
    let stce: UInt64 = 1 << 63
    hypervisor.pointee.board.hasTimerCompare = hv_probe_environment(stce) & stce != 0 && hv_probe_timer() == 1
    hv_write_hgatp(8 << 60 | 0x3fff << 44)
    hypervisor.pointee.hasVMIDs = hv_read_hgatp() >> 44 & 31 == 31
    hv_write_hgatp(0)
}

private func introduce() {
    let board = hypervisor.pointee.board
    say("hypervisor: ")
    say(UInt64(board.hartCount))
    say(" harts, ")
    say(hypervisor.pointee.memory.available >> 20)
    say(board.hasTimerCompare ? " MiB free, timers by Sstc" : " MiB free, timers by SBI")
    say(hypervisor.pointee.isPartitioned ? ", partitioned\n" : ", scheduled\n")
    if board.unusedHarts > 0 {
        say("hypervisor: the board has more than 8 harts; unused harts: ")
        say(UInt64(board.unusedHarts))
        say("\n")
    }
}

private func startOtherHarts() {
    hv_set_first_hart(hypervisor.pointee.harts)
    hv_fence_devices()
    for index in 1..<max(hypervisor.pointee.board.hartCount, 1) {
        let hart = hypervisor.pointee.harts + index
        let start = hv_address_of_secondary_start()
        let result = hv_sbi(0x48_534d, 0, hart.pointee.id, start, UInt64(UInt(bitPattern: hart)), 0, 0)
        if result.error != 0 {
            say("hypervisor: firmware does not start hart ")
            say(hart.pointee.id)
            say("\n")
        }
    }
}
