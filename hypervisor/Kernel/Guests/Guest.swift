import Support

/// A guest: an entry of the table, and while it runs, its memory, vCPUs and devices.
struct Guest {
    enum State: UInt8 {
        case absent, requested, loading, running, paused, ending

        /// Whether a hart has to start the guest, or to take it apart.
        var isUnsettled: Bool { self == .requested || self == .ending }

        var description: StaticString {
            switch self {
            case .absent: ": absent"
            case .requested, .loading: ": starting"
            case .running: ": running"
            case .paused: ": paused"
            case .ending: ": ending"
            }
        }
    }

    let index: Int
    var state = State.absent {
        didSet {
            if oldValue.isUnsettled { hypervisor.pointee.unsettledGuests -= 1 }
            if state.isUnsettled { hypervisor.pointee.unsettledGuests += 1 }
        }
    }
    var restarts = false
    var tables = GuestTables()
    var weight: UInt64 = 256
    /// Percent of a hart, 0: none; with what is left of it in this window, in ticks.
    private(set) var cap: UInt64 = 0
    var credit: Int64 = 0
    var windowEnd: UInt64 = 0
    var line = LineBuffer()
    var uart = VirtualUART()
    private var plic = VirtualPLIC()
    /// Where the guest sees its interrupt controller.
    private var controller = (address: VirtualPLIC.address, size: VirtualPLIC.size)
    private(set) var hasInterruptFiles = false
    var disk = VirtualDisk()
    var network = VirtualNetwork()
    private var vcpuIndexes = InlineArray<8, UInt8>(repeating: 0)
    private(set) var vcpuCount = 0
    /// Instead of the PLIC, if the vCPUs have interrupt files.
    private var aplic = VirtualAPLIC()

    init(index: Int) { self.index = index }

    var entry: GuestEntry { hypervisor.pointee.table.unsafelyUnwrapped.entry(index) }
    var name: UnsafeMutablePointer<UInt8> { entry.name }

    /// The vCPU that the guest calls hart `id`.
    func vcpu(_ id: UInt64) -> VCPU? {
        id < UInt64(vcpuCount) ? hypervisor.pointee.vcpus + Int(vcpuIndexes[Int(id)]) : nil
    }

    mutating func setCap(_ percent: UInt64) {
        cap = percent
        credit = 0
        windowEnd = hv_time()
    }

    /// Whether a guest with a cap has credit. A cap of c% gives c% of each window of 20 ms. What a slice took too much is missing in the
    /// next windows.
    @inline(never)
    mutating func hasCredit(_ now: UInt64) -> Bool {
        let windowTicks = hypervisor.pointee.board.timebase / 50
        let perWindow = Int64(windowTicks * cap / 100)
        if now >= windowEnd {
            let windows = (now - windowEnd) / windowTicks + 1
            windowEnd += windows * windowTicks
            credit = min(credit + perWindow * Int64(min(windows, 1000)), perWindow)
        }
        return credit > 0
    }

    // MARK: Life

    static func startAll() {
        for index in 0..<hypervisor.pointee.guestCount {
            let guest = hypervisor.pointee.guests + index
            guest.pointee.weight = guest.pointee.entry.weight
            guest.pointee.setCap(guest.pointee.entry.cap)
            if guest.pointee.entry.startsAtBoot { guest.pointee.request() }
        }
        if hypervisor.pointee.guestCount == 0 { say("hypervisor: the image has no guests; ctrl-a m: the monitor\n") }
    }

    /// Asks for a start; a hart does it at its next decision.
    mutating func request() {
        guard state == .absent else { return say("hypervisor: the guest is not absent; stop it first\n") }
        state = .requested
    }

    mutating func setPaused(_ isPaused: Bool) {
        guard state == .running || state == .paused else { return say("hypervisor: the guest does not run\n") }
        state = isPaused ? .paused : .running
        kickAll()
    }

    /// Ends the guest. Its vCPUs leave their harts first; then one hart gives everything back.
    mutating func stop(restart: Bool) {
        guard state == .running || state == .paused else { return }
        state = .ending
        restarts = restart
        kickAll()
    }

    /// Every hart decides again.
    func kickAll() {
        for index in 0..<hypervisor.pointee.board.hartCount where hypervisor.pointee.harts[index].online == 1 {
            hypervisor.pointee.scheduler.kick(hypervisor.pointee.harts + index)
        }
    }

    /// Whether a guest waits to be started or to be taken apart.
    static var hasWork: Bool {
        for index in 0..<hypervisor.pointee.guestCount {
            let guest = hypervisor.pointee.guests + index
            if guest.pointee.state == .requested || guest.pointee.hasEnded {
                return true
            }
        }
        return false
    }

    /// Starts and ends guests. The hart holds no vCPU; the lock is free while a guest's memory is filled.
    static func doWork() {
        for index in 0..<hypervisor.pointee.guestCount {
            let guest = hypervisor.pointee.guests + index
            if guest.pointee.hasEnded { guest.pointee.giveBack() }
            if guest.pointee.state == .requested { load(guest) }
        }
        var isAlive = false
        for index in 0..<hypervisor.pointee.guestCount where hypervisor.pointee.guests[index].state != .absent {
            isAlive = true
        }
        if !isAlive {
            say("hypervisor: every guest has ended; the machine powers off\n")
            powerOff(failed: false)
        }
    }

    /// Whether nothing uses the memory of an ending guest any more: no hart, and no disk of the board.
    private var hasEnded: Bool { state == .ending && !runs && disk.inFlight == 0 }

    /// Whether a hart still has one of the vCPUs.
    private var runs: Bool {
        for hart in 0..<hypervisor.pointee.board.hartCount {
            if let vcpu = hypervisor.pointee.harts[hart].current, Int(vcpu.pointee.guest) == index { return true }
        }
        return false
    }

    private mutating func giveBack() {
        hypervisor.pointee.console.flush(hypervisor.pointee.guests + index)
        release()
        state = restarts ? .requested : .absent
        say("hypervisor: guest ")
        say(text: name)
        say(restarts ? " restarts\n" : " has ended\n")
        restarts = false
    }

    /// Gives back what the guest has, as after its end. None of its vCPUs has a hart, and no disk of the board its memory.
    mutating func release() {
        hypervisor.pointee.scheduler.release(guest: index)
        hypervisor.pointee.memory.release(UInt8(index + 1))
        PostponedWork.forget(guest: index)
        (tables, uart, plic, aplic, vcpuCount) = (GuestTables(), VirtualUART(), VirtualPLIC(), VirtualAPLIC(), 0)
        controller = (VirtualPLIC.address, VirtualPLIC.size)
        hasInterruptFiles = false
        for hart in 0..<hypervisor.pointee.board.hartCount
        where hypervisor.pointee.harts[hart].file_owner == UInt8(index + 1) {
            hypervisor.pointee.harts[hart].file_owner = 0
        }
        (disk, network) = (VirtualDisk(), VirtualNetwork())
    }

    /// Takes vCPUs from the table. False: it has not enough.
    mutating func takeVCPUs(_ count: Int) -> Bool {
        guard hypervisor.pointee.scheduler.take(count, guest: index) else { return false }
        vcpuCount = count
        let own = UInt8(index)
        for place in 0..<Hypervisor.mostVCPUs {
            let vcpu = hypervisor.pointee.vcpus + place
            guard vcpu.pointee.state != VCPUState.absent, vcpu.pointee.guest == own else { continue }
            vcpuIndexes[Int(vcpu.pointee.id)] = UInt8(place)
        }
        return true
    }

    /// In a partition each vCPU has a hart of its own, and with it the hart's guest interrupt file, if it wants one and all of the guest's vCPUs
    /// can have one.
    mutating func takeInterruptFiles() {
        guard hypervisor.pointee.isPartitioned, hypervisor.pointee.board.hasGuestFiles, !entry.hasPLIC else { return }
        var taken: UInt64 = 0
        for id in 0..<UInt64(vcpuCount) {
            guard let vcpu = vcpu(id) else { return }
            let hart = hypervisor.pointee.harts + vcpu.pointee.affinity.trailingZeroBitCount
            // A board with fewer harts than the table has lets partitions share one.
            guard hart.pointee.file_owner == 0, hart.pointee.guestFile != 0, taken & vcpu.pointee.affinity == 0
            else { return }
            taken |= vcpu.pointee.affinity
        }
        for id in 0..<UInt64(vcpuCount) {
            guard let vcpu = vcpu(id) else { return }
            let hart = hypervisor.pointee.harts + vcpu.pointee.affinity.trailingZeroBitCount
            hart.pointee.file_owner = UInt8(index + 1)
            vcpu.pointee.file = hart.pointee.guestFile
            tables.map(device: VirtualAPLIC.files + 0x1000 * id, to: vcpu.pointee.file)
        }
        controller = (VirtualAPLIC.address, VirtualAPLIC.size)
        hasInterruptFiles = true
    }

    // MARK: Devices

    func hasDevice(at address: UInt64) -> Bool {
        address &- VirtualUART.address < 8 || address &- controller.address < controller.size
    }

    mutating func load(_ address: UInt64, size: Int) -> UInt64 {
        defer { updateInterrupts() }
        if address >= VirtualUART.address { return UInt64(uart.load(address - VirtualUART.address)) }
        guard size == 4, address & 3 == 0 else { return 0 }
        let offset = address - controller.address
        return UInt64(hasInterruptFiles ? aplic.load(offset) : plic.load(offset))
    }

    mutating func store(_ address: UInt64, _ value: UInt64, size: Int) {
        if address >= VirtualUART.address {
            if let byte = uart.store(address - VirtualUART.address, UInt8(truncatingIfNeeded: value)) { write(byte) }
        } else if size == 4, address & 3 == 0 {
            let (offset, word) = (address - controller.address, UInt32(truncatingIfNeeded: value))
            if hasInterruptFiles {
                if let target = aplic.store(offset, word) { send(target) }
            } else {
                plic.store(offset, word)
            }
        }
        updateInterrupts()
    }

    /// Output to the console.
    func write(_ byte: UInt8) { hypervisor.pointee.console.write(byte, of: hypervisor.pointee.guests + index) }

    /// Carries the devices' levels to the PLIC, and the PLIC's decision to the vCPUs; or to the APLIC, and its messages to the vCPUs' interrupt files.
    mutating func updateInterrupts() {
        let levels: UInt32 =
            (uart.level ? 1 << UInt32(VirtualUART.interrupt) : 0)
            | (disk.registers.level ? 1 << UInt32(VirtualDisk.interrupt) : 0)
            | (network.registers.level ? 1 << UInt32(VirtualNetwork.interrupt) : 0)
        if hasInterruptFiles { return sendMessages(levels) }
        plic.levels = levels
        for id in 0..<vcpuCount {
            vcpu(UInt64(id))?.setInterrupt(VCPU.external, plic.isPending(id))
        }
    }

    @inline(never)
    private mutating func sendMessages(_ levels: UInt32) {
        aplic.levels = levels
        while let target = aplic.takeMessage() { send(target) }
    }

    /// A device whose interrupt was acknowledged lowers its wire for a moment, so that what its driver did not acknowledge is a new edge.
    mutating func pulse(_ source: Int) {
        if hasInterruptFiles { aplic.levels &= ~(1 << UInt32(source)) }
    }

    /// Sends the message of a target: the hart takes it without an exit.
    private func send(_ target: UInt32) {
        guard let vcpu = vcpu(UInt64(target >> 18)), vcpu.pointee.file != 0 else { return }
        // Behind what the device wrote.
        hv_fence_devices()
        hv_store32(vcpu.pointee.file, target & 0x7ff)
    }
}
