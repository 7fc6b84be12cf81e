internal import Synchronization

// What reads and writes of the registers do; `MMIORegister` has the layout.

private typealias Register = MMIORegister

extension VirtioMMIOTransport {
    package func read(offset: UInt64, size: Int) -> UInt64 {
        if offset >= Register.configuration {
            return core.readConfiguration(at: offset - Register.configuration, size: size)
        }
        guard size == 4, offset % 4 == 0 else { return 0 }
        switch offset {
        case Register.magicValue: return Register.magic
        case Register.version: return version.rawValue
        case Register.deviceID: return UInt64(device.type.rawValue)
        case Register.vendorID: return Register.vendor
        case Register.interruptStatus: return UInt64(signals.pending)
        case Register.status: return UInt64(core.statusField)
        case _ where version == .legacy: return readLegacy(offset)
        case Register.configurationGeneration: return UInt64(device.configurationGeneration)
        // No device has shared memory regions: length and address of a missing one are all ones.
        case Register.sharedMemory: return 0xFFFF_FFFF
        default: return core.state.withLock { readState($0, offset) }
        }
    }

    func readState(_ state: borrowing VirtioTransportCore.State, _ offset: UInt64) -> UInt64 {
        switch offset {
        case Register.deviceFeatures: return UInt64(core.selectedDeviceFeatures(state))
        case Register.queueSizeMaximum:
            return state.selected.map { UInt64(core.queueSizes[$0]) } ?? 0
        case Register.queueReady:
            return state.selected.map { state.queues[$0].queue == nil ? 0 : 1 } ?? 0
        case Register.queueReset:
            return state.selected.map { state.queues[$0].isStopping ? 1 : 0 } ?? 0
        default: return 0
        }
    }

    package func write(offset: UInt64, size: Int, value: UInt64) {
        if offset >= Register.configuration {
            return core.writeConfiguration(at: offset - Register.configuration, size: size, value)
        }
        guard size == 4, offset % 4 == 0 else { return }
        let value = UInt32(truncatingIfNeeded: value)
        switch offset {
        case Register.interruptAcknowledge: signals.acknowledge(value)
        case Register.status: core.writeStatus(UInt8(truncatingIfNeeded: value))
        case _ where version == .legacy: writeLegacy(offset, value)
        case Register.queueNotify: core.notify(value)
        case Register.queueReady where value == 0: core.disableSelectedQueue(forgetting: false)
        case Register.queueReset where value == 1: core.resetSelectedQueue()
        default: core.write { writeState(&$0, offset, value) }
        }
    }

    /// The registers that both versions have; others are for the version's own queue registers.
    func writeState(_ state: inout VirtioTransportCore.State, _ offset: UInt64, _ value: UInt32) {
        switch offset {
        case Register.deviceFeaturesSelect: state.deviceFeaturesSelect = value
        case Register.driverFeaturesSelect: state.driverFeaturesSelect = value
        case Register.driverFeatures: core.setSelectedDriverFeatures(&state, value)
        case Register.queueSelect: state.queueSelect = value
        default: if version == .modern { writeQueue(&state, offset, value) }
        }
    }

    /// The registers of the selected queue, before it is ready.
    private func writeQueue(_ state: inout VirtioTransportCore.State, _ offset: UInt64, _ value: UInt32) {
        guard let index = core.changeableQueue(state) else { return }
        let word = Int(offset / 4 % 2)
        switch offset {
        case Register.queueReady: if value == 1 { core.enableQueue(index, &state) }
        // 16 bits are all a size has; a larger one is as wrong as 0.
        case Register.queueSize: state.queues[index].layout.size = UInt16(exactly: value) ?? 0
        case Register.queueDescriptors, Register.queueDescriptors + 4:
            state.queues[index].layout.descriptors.replaceWord(word, with: value)
        case Register.queueAvailable, Register.queueAvailable + 4:
            state.queues[index].layout.available.replaceWord(word, with: value)
        case Register.queueUsed, Register.queueUsed + 4:
            state.queues[index].layout.used.replaceWord(word, with: value)
        default: break
        }
    }
}
