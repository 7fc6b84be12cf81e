import Support

/// VIRTIO_BLK_S_ (VIRTIO 1.2, section 5.2.6).
enum DiskStatus {
    static let ok: UInt8 = 0
    static let ioError: UInt8 = 1
    static let unsupported: UInt8 = 2
}

/// A guest's disk: a range of sectors of one of the board's disks, as virtio-blk (VIRTIO 1.2, section 5.2).
struct VirtualDisk {
    static let address: UInt64 = 0x1000_1000
    static let interrupt = 1
    /// Requests that the board's disk has of one guest; the others wait in the guest's queue.
    static let mostInFlight = 8
    /// VIRTIO_BLK_F_SIZE_MAX, SEG_MAX, BLK_SIZE and FLUSH.
    private static let features: UInt64 = 1 << 1 | 1 << 2 | 1 << 6 | flush
    private static let readOnly: UInt64 = 1 << 5
    fileprivate static let flush: UInt64 = 1 << 9

    struct Range {
        let device: Int
        let first: UInt64
        /// 0: to the end of the disk.
        let sectors: UInt64
        let isReadOnly: Bool
    }

    struct Counters {
        var reads: UInt64 = 0
        var writes: UInt64 = 0
        var flushes: UInt64 = 0
        var sectors: UInt64 = 0
        /// Requests that were refused or failed.
        var errors: UInt64 = 0
    }

    var registers: VirtioRegisters
    /// nil: the guest has no disk.
    let range: Range?
    var inFlight = 0
    /// The driver wrote 0 to the status, and the board's disk still has requests.
    var isResetting = false
    var counters = Counters()

    init(_ range: Range? = nil) {
        let isReadOnly = range?.isReadOnly ?? false
        registers = VirtioRegisters(
            deviceID: 2, queueCount: 1, offered: Self.features | (isReadOnly ? Self.readOnly : 0))
        self.range = range
    }

    var driver: UnsafeMutablePointer<DiskDriver>? { range.map { hypervisor.pointee.disks + $0.device } }

    /// A byte of the configuration space (section 5.2.4).
    func configuration(_ offset: UInt64) -> UInt8 {
        guard let range, let driver else { return 0 }
        let value: UInt64
        switch offset {
        case 0..<8: value = range.sectors
        case 8..<12: value = UInt64(driver.pointee.mostPartBytes)
        // A part that crosses a border of the guest's chunks is two parts of the board's request.
        case 12..<16: value = UInt64(min(max(driver.pointee.mostParts / 2, 1), Chain.mostDescriptors - 2))
        case 20..<24: value = UInt64(driver.pointee.blockBytes)
        default: return 0
        }
        return UInt8(truncatingIfNeeded: value >> (8 * (offset < 8 ? offset : offset & 3)))
    }
}

/// What became of a guest's next request.
enum DiskStep {
    /// There is none, or it may not start now.
    case none
    /// The board's disk has it.
    case started
    /// It has its answer already.
    case answered
    /// The board's disk has no room for it.
    case full
}

extension UnsafeMutablePointer where Pointee == Guest {
    /// Follow a virtqueue request here: the guest has put a chain into its available ring and has written to the notification
    /// register. Its header is copied and checked, its data stay where they are: the board's disk gets the addresses.
    func startDiskRequest(on driver: UnsafeMutablePointer<DiskDriver>) -> DiskStep {
        guard mayStartDiskRequest(on: driver) else { return .none }
        let chain = hypervisor.pointee.chain
        switch pointee.disk.registers.queues[0].peek(pointee.tables, chain) {
        case .empty: return .none
        case .broken: return failDisk()
        case .chain: break
        }
        let header = hypervisor.pointee.staging
        guard chain.gather(from: 0, to: header, 16) == 16, chain.pointee.writeBytes > 0 else {
            return failDisk()
        }
        chain.pointee.dropFirst(16)
        let status = chain.pointee.removeLast()
        let type = hv_load32(header)
        let sector = hv_load64(header + 8)
        if driver.pointee.isBroken { return answerDisk(DiskStatus.ioError, status) }
        switch type {
        case 0, 1:
            guard let first = boardSector(sector, isWrite: type == 1) else {
                return answerDisk(DiskStatus.ioError, status)
            }
            return submit(driver, type, first, status)
        case 4 where driver.pointee.canFlush:
            guard driver.hasRoom(0) else { return .full }
            return submit(driver, type, 0, status)
        case 4: return answerDisk(DiskStatus.ok, status)
        case 8: return identifyDisk(status)
        default: return answerDisk(DiskStatus.unsupported, status)
        }
    }

    private func mayStartDiskRequest(on driver: UnsafeMutablePointer<DiskDriver>) -> Bool {
        pointee.disk.driver == driver && pointee.state == .running && pointee.disk.registers.isLive
            && !pointee.disk.isResetting && pointee.disk.inFlight < VirtualDisk.mostInFlight
    }

    /// Whether a request is available that may start now.
    func hasDiskRequest(on driver: UnsafeMutablePointer<DiskDriver>) -> Bool {
        mayStartDiskRequest(on: driver) && pointee.disk.registers.queues[0].hasMore(pointee.tables)
    }

    /// The first sector on the board's disk of the transfer in `hypervisor.chain`; nil: it leaves the guest's range, or is none.
    private func boardSector(_ sector: UInt64, isWrite: Bool) -> UInt64? {
        guard let range = pointee.disk.range, let driver = pointee.disk.driver else { return nil }
        let chain = hypervisor.pointee.chain
        let bytes = isWrite ? chain.pointee.readBytes : chain.pointee.writeBytes
        let (end, isOver) = sector.addingReportingOverflow(bytes / 512)
        guard !(isWrite && range.isReadOnly), bytes > 0, bytes % UInt64(driver.pointee.blockBytes) == 0, !isOver,
            end <= range.sectors
        else { return nil }
        return range.first + sector
    }

    private func submit(
        _ driver: UnsafeMutablePointer<DiskDriver>, _ type: UInt32, _ sector: UInt64, _ status: UInt64
    ) -> DiskStep {
        let chain = hypervisor.pointee.chain
        let start = type == 0 ? chain.pointee.readCount : 0
        let count = type == 0 ? chain.pointee.count - start : type == 1 ? chain.pointee.readCount : 0
        for index in start..<start + count where chain.pointee.parts[index].length > driver.pointee.mostPartBytes {
            return answerDisk(DiskStatus.ioError, status)
        }
        guard count <= driver.pointee.mostParts else { return answerDisk(DiskStatus.ioError, status) }
        guard driver.hasRoom(count) else { return .full }
        let bytes = type == 0 ? chain.pointee.writeBytes : type == 1 ? chain.pointee.readBytes : 0
        let request = DiskDriver.Request(
            guest: UInt8(pointee.index), head: chain.pointee.head, status: status,
            written: type == 0 ? UInt32(bytes) + 1 : 1,
            isUnstable: type == 1 && driver.pointee.canFlush && !pointee.disk.registers.hasAccepted(VirtualDisk.flush))
        driver.submit(request, type: type, sector: sector, start: start, count: count)
        pointee.disk.registers.queues[0].advance()
        pointee.disk.inFlight += 1
        switch type {
        case 0: pointee.disk.counters.reads += 1
        case 1: pointee.disk.counters.writes += 1
        default: pointee.disk.counters.flushes += 1
        }
        pointee.disk.counters.sectors += bytes / 512
        return .started
    }

    /// VIRTIO_BLK_T_GET_ID: the guest's name in 20 bytes.
    private func identifyDisk(_ status: UInt64) -> DiskStep {
        let chain = hypervisor.pointee.chain
        guard chain.pointee.writeBytes >= 20 else { return answerDisk(DiskStatus.ioError, status) }
        let text = hypervisor.pointee.staging
        var hasEnded = false
        for index in 0..<20 {
            if pointee.name[index] == 0 { hasEnded = true }
            hv_store8(text + UInt64(index), hasEnded ? 0 : pointee.name[index])
        }
        chain.scatter(from: text, 20)
        return answerDisk(DiskStatus.ok, status, written: 21)
    }

    /// Answers the request in `hypervisor.chain` without the board's disk.
    private func answerDisk(_ result: UInt8, _ status: UInt64, written: UInt32 = 1) -> DiskStep {
        if result != DiskStatus.ok { pointee.disk.counters.errors += 1 }
        hv_store8(status, result)
        pointee.disk.registers.queues[0].advance()
        pointee.disk.registers.give(0, hypervisor.pointee.chain.pointee.head, written, pointee.tables)
        pointee.updateInterrupts()
        return .answered
    }

    private func failDisk() -> DiskStep {
        pointee.disk.registers.fail()
        pointee.updateInterrupts()
        return .answered
    }

    /// The board's disk has finished a request. Until here the guest has kept its memory, whatever happened to it.
    func finishDiskRequest(_ request: DiskDriver.Request, _ status: UInt8) {
        pointee.disk.inFlight -= 1
        if pointee.state == .ending {
            // A hart that decides again gives the guest's memory back.
            if pointee.disk.inFlight == 0 { pointee.kickAll() }
            return
        }
        if status != DiskStatus.ok { pointee.disk.counters.errors += 1 }
        if pointee.disk.registers.isLive {
            hv_store8(request.status, status)
            pointee.disk.registers.give(
                0, request.head, status == DiskStatus.ok ? request.written : 1, pointee.tables)
            pointee.updateInterrupts()
        }
        if pointee.disk.isResetting, pointee.disk.inFlight == 0 { wakeAll() }
    }

    /// Wakes every vCPU that waits: one of them repeats its store to the status.
    private func wakeAll() {
        for id in 0..<UInt64(pointee.vcpuCount) {
            guard let vcpu = pointee.vcpu(id), vcpu.pointee.state == VCPUState.waiting else { continue }
            hypervisor.pointee.scheduler.wake(vcpu)
        }
    }
}
