internal import Synchronization

// The common configuration (VIRTIO 1.2, section 4.1.4.3), little endian; each field takes accesses of its own width, and
// those of 64 bits also of 32:
//
//     00 u32 device features, select     14 u8  status                  20 u64 descriptor table
//     04 u32 device features             15 u8  generation              28 u64 available ring
//     08 u32 driver features, select     16 u16 queue, select           30 u64 used ring
//     0c u32 driver features             18 u16 queue size              38 u16 notification data
//     10 u16 configuration's vector      1a u16 queue's vector          3a u16 queue reset
//     12 u16 number of queues            1c u16 queue enable
//                                        1e u16 queue's notification offset
private enum Register {
    static let deviceFeaturesSelect: UInt64 = 0x00
    static let deviceFeatures: UInt64 = 0x04
    static let driverFeaturesSelect: UInt64 = 0x08
    static let driverFeatures: UInt64 = 0x0C
    static let configurationVector: UInt64 = 0x10
    static let queueCount: UInt64 = 0x12
    static let status: UInt64 = 0x14
    static let generation: UInt64 = 0x15
    static let queueSelect: UInt64 = 0x16
    static let queueSize: UInt64 = 0x18
    static let queueVector: UInt64 = 0x1A
    static let queueEnable: UInt64 = 0x1C
    static let queueNotificationOffset: UInt64 = 0x1E
    static let queueAddresses: Range<UInt64> = 0x20..<0x38
    static let queueReset: UInt64 = 0x3A

    /// The width of the field at an offset; nil where none begins.
    static func width(_ offset: UInt64) -> Int? {
        switch offset {
        case 0x00, 0x04, 0x08, 0x0C: 4
        case status, generation: 1
        case 0x10, 0x12, 0x16, 0x18, 0x1A, 0x1C, 0x1E, 0x38, queueReset: 2
        default: nil
        }
    }

    static func accepts(_ offset: UInt64, _ size: Int) -> Bool {
        if queueAddresses.contains(offset) { return offset % UInt64(size) == 0 && (size == 4 || size == 8) }
        return width(offset) == size
    }
}

extension VirtioPCITransport {
    func readRegister(_ offset: UInt64, _ size: Int) -> UInt64 {
        let place = offset % Structure.stride
        switch offset - place {
        case Structure.common: return Register.accepts(place, size) ? readCommon(place, size) : 0
        case Structure.status: return place == 0 ? UInt64(signals.takeStatus()) : 0
        case Structure.device: return core.readConfiguration(at: place, size: size)
        default: return 0
        }
    }

    private func readCommon(_ offset: UInt64, _ size: Int) -> UInt64 {
        switch offset {
        case Register.configurationVector: return UInt64(signals.configurationVector)
        case Register.queueCount: return UInt64(core.queueSizes.count)
        case Register.generation: return UInt64(UInt8(truncatingIfNeeded: device.configurationGeneration))
        case Register.status: return UInt64(core.statusField)
        default: return core.state.withLock { readState($0, offset, size) }
        }
    }

    private func readState(_ state: borrowing VirtioTransportCore.State, _ offset: UInt64, _ size: Int) -> UInt64 {
        switch offset {
        case Register.deviceFeaturesSelect: return UInt64(state.deviceFeaturesSelect)
        case Register.deviceFeatures: return UInt64(core.selectedDeviceFeatures(state))
        case Register.driverFeaturesSelect: return UInt64(state.driverFeaturesSelect)
        case Register.driverFeatures: return UInt64(core.selectedDriverFeatures(state))
        case Register.queueSelect: return UInt64(state.queueSelect)
        default: break
        }
        // A queue that is not there has size 0.
        guard let index = state.selected else { return 0 }
        let layout = state.queues[index].layout
        switch offset {
        case Register.queueSize: return UInt64(layout.size == 0 ? core.queueSizes[index] : layout.size)
        case Register.queueVector: return UInt64(signals.queueVector(index))
        case Register.queueEnable: return state.queues[index].queue == nil ? 0 : 1
        case Register.queueNotificationOffset: return UInt64(index)
        case Register.queueReset: return state.queues[index].isStopping ? 1 : 0
        case Register.queueAddresses:
            let address = [layout.descriptors, layout.available, layout.used][Int(offset - 0x20) / 8]
            return size == 8 ? address : address >> (offset % 8 * 8) & 0xFFFF_FFFF
        default: return 0
        }
    }

    // MARK: Writes

    func writeRegister(_ offset: UInt64, _ size: Int, _ value: UInt64) {
        let place = offset % Structure.stride
        switch offset - place {
        case Structure.common: if Register.accepts(place, size) { writeCommon(place, size, value) }
        case Structure.device: core.writeConfiguration(at: place, size: size, value)
        case Structure.notifications:
            // The place says which queue; the value repeats it.
            core.notify(UInt32(place / UInt64(Self.notificationStride)))
        default: break
        }
    }

    private func writeCommon(_ offset: UInt64, _ size: Int, _ value: UInt64) {
        switch offset {
        case Register.status: core.writeStatus(UInt8(truncatingIfNeeded: value))
        case Register.configurationVector: signals.setConfigurationVector(UInt16(truncatingIfNeeded: value))
        case Register.queueReset where value == 1: core.resetSelectedQueue()
        default: core.write { writeState(&$0, offset, size, value) }
        }
    }

    private func writeState(
        _ state: inout VirtioTransportCore.State, _ offset: UInt64, _ size: Int, _ value: UInt64
    ) {
        let word = UInt32(truncatingIfNeeded: value)
        switch offset {
        case Register.deviceFeaturesSelect: state.deviceFeaturesSelect = word
        case Register.driverFeaturesSelect: state.driverFeaturesSelect = word
        case Register.driverFeatures: core.setSelectedDriverFeatures(&state, word)
        case Register.queueSelect: state.queueSelect = word
        default: writeQueue(&state, offset, size, value)
        }
    }

    /// The registers of the selected queue, before it is enabled.
    private func writeQueue(
        _ state: inout VirtioTransportCore.State, _ offset: UInt64, _ size: Int, _ value: UInt64
    ) {
        if offset == Register.queueVector, let index = state.selected {
            return signals.setQueueVector(index, UInt16(truncatingIfNeeded: value))
        }
        guard let index = core.changeableQueue(state) else { return }
        switch offset {
        case Register.queueSize: state.queues[index].layout.size = UInt16(truncatingIfNeeded: value)
        case Register.queueEnable where value == 1:
            if state.queues[index].layout.size == 0 { state.queues[index].layout.size = core.queueSizes[index] }
            core.enableQueue(index, &state)
        case Register.queueAddresses:
            let first = Int(offset / 4 % 2)
            for part in 0..<size / 4 {
                let word = UInt32(truncatingIfNeeded: value >> UInt64(32 * part))
                switch (offset - 0x20) / 8 {
                case 0: state.queues[index].layout.descriptors.replaceWord(first + part, with: word)
                case 1: state.queues[index].layout.available.replaceWord(first + part, with: word)
                default: state.queues[index].layout.used.replaceWord(first + part, with: word)
                }
            }
        default: break
        }
    }
}
