import Support

/// A guest's accesses to the registers of its disk and its card.
extension UnsafeMutablePointer where Pointee == Guest {
    private enum Window {
        case disk, network
    }

    private func window(_ address: UInt64) -> (Window, offset: UInt64)? {
        let disk = address &- VirtualDisk.address
        if disk < VirtioRegisters.size, pointee.disk.range != nil { return (.disk, disk) }
        let network = address &- VirtualNetwork.address
        if network < VirtioRegisters.size, pointee.network.isPresent { return (.network, network) }
        return nil
    }

    func hasVirtioDevice(at address: UInt64) -> Bool { window(address) != nil }

    /// Registers are words; the configuration space has fields of 1 to 8 bytes (VIRTIO 1.2, section 4.2.2.2).
    func loadVirtio(_ address: UInt64, size: Int) -> UInt64 {
        guard let (window, offset) = window(address) else { return 0 }
        guard offset >= 0x100 else {
            guard size == 4, offset & 3 == 0 else { return 0 }
            return UInt64(
                window == .disk ? pointee.disk.registers.load(offset) : pointee.network.registers.load(offset))
        }
        var value: UInt64 = 0
        for index in 0..<UInt64(size) {
            let place = offset - 0x100 + index
            let byte = window == .disk ? pointee.disk.configuration(place) : pointee.network.configuration(place)
            value |= UInt64(byte) << (8 * index)
        }
        return value
    }

    /// - Returns: false: the vCPU repeats the store when it wakes.
    func storeVirtio(_ address: UInt64, _ value: UInt64, size: Int, _ vcpu: VCPU) -> Bool {
        guard let (window, offset) = window(address), size == 4, offset & 3 == 0, offset < 0x100 else { return true }
        let word = UInt32(truncatingIfNeeded: value)
        switch window {
        case .disk:
            switch pointee.disk.registers.store(offset, word, pointee.tables) {
            case .none: break
            case .notification: pointee.disk.driver?.startRequests()
            case .reset: guard resetDisk(vcpu) else { return false }
            }
        case .network:
            switch pointee.network.registers.store(offset, word, pointee.tables) {
            case .notification(1): transmit()
            // New buffers need no action: frames that found none are gone.
            case .none, .notification: break
            case .reset: pointee.network.registers.reset()
            }
        }
        if offset == 0x64 { pointee.pulse(window == .disk ? VirtualDisk.interrupt : VirtualNetwork.interrupt) }
        pointee.updateInterrupts()
        return true
    }

    /// After the reset the device uses no buffer any more (section 2.4.1), so a vCPU that resets it waits for the requests
    /// that the board's disk has. Other vCPUs and guests run meanwhile.
    private func resetDisk(_ vcpu: VCPU) -> Bool {
        pointee.disk.isResetting = pointee.disk.inFlight > 0
        guard !pointee.disk.isResetting else {
            hypervisor.pointee.scheduler.wait(vcpu, currentHart())
            return false
        }
        pointee.disk.registers.reset()
        return true
    }

    /// Makes the guest's devices from its entry, as after a reset.
    ///
    /// - Returns: why the guest cannot have them.
    func makeDevices() -> StaticString? {
        pointee.network = VirtualNetwork(
            address: pointee.entry.hasNetwork ? VirtualNetwork.address(of: pointee.index) : nil)
        pointee.disk = VirtualDisk()
        guard let wanted = pointee.entry.disk else { return nil }
        guard wanted.device < hypervisor.pointee.diskCount else {
            return "the board has no disk of the number in GUESTS.json; attach one, or change 'device'"
        }
        let driver = hypervisor.pointee.disks + wanted.device
        guard driver.pointee.sectors > 0 else {
            return "its disk does not work; the line about its virtio device says why"
        }
        guard wanted.first < driver.pointee.sectors else {
            return "its range begins behind the end of the board's disk; change 'first', or attach a larger disk"
        }
        let rest = driver.pointee.sectors - wanted.first
        let sectors = wanted.sectors == 0 ? rest : wanted.sectors
        guard sectors <= rest else {
            return "its range ends behind the end of the board's disk; change 'sectors', or attach a larger disk"
        }
        let block = UInt64(driver.pointee.blockBytes / 512)
        guard wanted.first % block == 0, sectors % block == 0 else {
            return "its range cuts a block of the board's disk; change 'first' and 'sectors' to multiples of the block"
        }
        pointee.disk = VirtualDisk(
            VirtualDisk.Range(
                device: wanted.device, first: wanted.first, sectors: sectors,
                isReadOnly: wanted.isReadOnly || driver.pointee.isReadOnly))
        return nil
    }

    /// After a pause: what the guest made available meanwhile.
    func continueDevices() {
        pointee.disk.driver?.startRequests()
        transmit()
    }
}
