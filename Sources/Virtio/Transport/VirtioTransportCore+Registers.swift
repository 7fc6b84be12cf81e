internal import Synchronization

// The rules of registers that every transport has, at whatever offsets and of whatever width.
extension VirtioTransportCore {
    /// The device status field, with the device's own bit; 0 only when no reset is going on.
    var statusField: UInt8 {
        // A device that is reset once more, before the driver has set it up, is not there yet either.
        let status = state.withLock { $0.isResetting ? max($0.status, VirtioStatus.acknowledge) : $0.status }
        return signals.needsReset ? status | VirtioStatus.needsReset : status
    }

    /// The word of the offered features that the driver has selected.
    func selectedDeviceFeatures(_ state: borrowing State) -> UInt32 {
        word(of: offeredFeatures, state.deviceFeaturesSelect)
    }

    /// The word of the accepted features that the driver has selected.
    func selectedDriverFeatures(_ state: borrowing State) -> UInt32 {
        word(of: state.driverFeatures, state.driverFeaturesSelect)
    }

    private func word(of features: UInt64, _ select: UInt32) -> UInt32 {
        select < 2 ? UInt32(truncatingIfNeeded: features >> (32 * UInt64(select))) : 0
    }

    func setSelectedDriverFeatures(_ state: inout State, _ value: UInt32) {
        guard !state.areFeaturesFinal, state.driverFeaturesSelect < featureWords else { return }
        state.driverFeatures.replaceWord(Int(state.driverFeaturesSelect), with: value)
    }

    /// Calls `body` for a register write of the driver, unless the device is being reset.
    func write(_ body: (inout State) -> Void) {
        state.withLock { state in
            if !state.isResetting { body(&state) }
        }
    }

    /// The selected queue, if its layout can be changed: it is not in use, and not being stopped.
    func changeableQueue(_ state: borrowing State) -> Int? {
        guard let index = state.selected, state.queues[index].queue == nil, !state.queues[index].isStopping else {
            return nil
        }
        return index
    }

    /// A write of 1 to QueueReset, which needs the feature (VIRTIO 1.2, section 2.6.1).
    func resetSelectedQueue() {
        let isNegotiated = state.withLock { $0.isLive && $0.driverFeatures & VirtioFeatures.ringReset != 0 }
        if isNegotiated { disableSelectedQueue(forgetting: true) }
    }

    // MARK: The device's configuration

    /// Bytes beyond the end of the configuration read as 0.
    func readConfiguration(at offset: UInt64, size: Int) -> UInt64 {
        let bytes = device.configuration
        guard offset < UInt64(bytes.count) else { return 0 }
        return bytes[Int(offset)...].prefix(size).enumerated().reduce(0) { value, byte in
            value | UInt64(byte.element) << (8 * UInt64(byte.offset))
        }
    }

    func writeConfiguration(at offset: UInt64, size: Int, _ value: UInt64) {
        let bytes = (0..<size).map { UInt8(truncatingIfNeeded: value >> (8 * UInt64($0))) }
        device.writeConfiguration(bytes, at: Int(clamping: offset))
    }
}
