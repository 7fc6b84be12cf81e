internal import Synchronization

// The registers (VIRTIO 1.2, section 4.2.2), all 32 bits and little endian:
//
//     000 MagicValue   004 Version          008 DeviceID           00c VendorID
//     010 DeviceFeatures   014 DeviceFeaturesSel   020 DriverFeatures   024 DriverFeaturesSel
//     030 QueueSel     034 QueueNumMax      038 QueueNum           044 QueueReady        050 QueueNotify
//     060 InterruptStatus  064 InterruptACK 070 Status
//     080 QueueDescLow/High   090 QueueDriverLow/High   0a0 QueueDeviceLow/High
//     0ac SHMSel       0b0 SHMLenLow/High   0b8 SHMBaseLow/High    0c0 QueueReset
//     0fc ConfigGeneration                  100 configuration of the device
private enum Register {
    static let magicValue: UInt64 = 0x000
    static let version: UInt64 = 0x004
    static let deviceID: UInt64 = 0x008
    static let vendorID: UInt64 = 0x00C
    static let deviceFeatures: UInt64 = 0x010
    static let deviceFeaturesSelect: UInt64 = 0x014
    static let driverFeatures: UInt64 = 0x020
    static let driverFeaturesSelect: UInt64 = 0x024
    static let queueSelect: UInt64 = 0x030
    static let queueSizeMaximum: UInt64 = 0x034
    static let queueSize: UInt64 = 0x038
    static let queueReady: UInt64 = 0x044
    static let queueNotify: UInt64 = 0x050
    static let interruptStatus: UInt64 = 0x060
    static let interruptAcknowledge: UInt64 = 0x064
    static let status: UInt64 = 0x070
    static let queueDescriptors: UInt64 = 0x080
    static let queueAvailable: UInt64 = 0x090
    static let queueUsed: UInt64 = 0x0A0
    static let sharedMemory: ClosedRange<UInt64> = 0x0B0...0x0BC
    static let queueReset: UInt64 = 0x0C0
    static let configurationGeneration: UInt64 = 0x0FC
    static let configuration: UInt64 = 0x100
}

private let magic: UInt64 = 0x7472_6976  // "virt"
private let vendor: UInt64 = 0x4952_4541  // "AERI"

extension VirtioMMIOTransport {
    package func read(offset: UInt64, size: Int) -> UInt64 {
        if offset >= Register.configuration {
            return readConfiguration(at: offset - Register.configuration, size: size)
        }
        guard size == 4, offset % 4 == 0 else { return 0 }
        switch offset {
        case Register.magicValue: return magic
        case Register.version: return 2
        case Register.deviceID: return UInt64(device.type.rawValue)
        case Register.vendorID: return vendor
        case Register.interruptStatus: return UInt64(signals.pending)
        case Register.configurationGeneration: return UInt64(device.configurationGeneration)
        // No device has shared memory regions: length and address of a missing one are all ones.
        case Register.sharedMemory: return 0xFFFF_FFFF
        case Register.status:
            let status = core.state.withLock { $0.status }
            return UInt64(signals.needsReset ? status | VirtioStatus.needsReset : status)
        default: return core.state.withLock { readState($0, offset) }
        }
    }

    private func readState(_ state: borrowing VirtioTransportCore.State, _ offset: UInt64) -> UInt64 {
        switch offset {
        case Register.deviceFeatures:
            guard state.deviceFeaturesSelect < 2 else { return 0 }
            return core.offeredFeatures >> (32 * UInt64(state.deviceFeaturesSelect)) & 0xFFFF_FFFF
        case Register.queueSizeMaximum:
            return state.selected.map { UInt64(core.queueSizes[$0]) } ?? 0
        case Register.queueReady:
            return state.selected.map { state.queues[$0].queue == nil ? 0 : 1 } ?? 0
        case Register.queueReset:
            return state.selected.map { state.queues[$0].isStopping ? 1 : 0 } ?? 0
        default: return 0
        }
    }

    private func readConfiguration(at offset: UInt64, size: Int) -> UInt64 {
        let bytes = device.configuration
        var value: UInt64 = 0
        for position in 0..<size where offset < bytes.count && Int(offset) + position < bytes.count {
            value |= UInt64(bytes[Int(offset) + position]) << (8 * UInt64(position))
        }
        return value
    }

    package func write(offset: UInt64, size: Int, value: UInt64) {
        if offset >= Register.configuration {
            let bytes = (0..<size).map { UInt8(truncatingIfNeeded: value >> (8 * UInt64($0))) }
            return device.writeConfiguration(bytes, at: Int(clamping: offset - Register.configuration))
        }
        guard size == 4, offset % 4 == 0 else { return }
        let value = UInt32(truncatingIfNeeded: value)
        switch offset {
        case Register.queueNotify: core.notify(value)
        case Register.interruptAcknowledge: signals.acknowledge(value)
        case Register.status: core.writeStatus(UInt8(truncatingIfNeeded: value))
        case Register.queueReady where value == 0: core.disableSelectedQueue(forgetting: false)
        case Register.queueReset where value == 1:
            let isNegotiated = core.state.withLock { $0.isLive && $0.driverFeatures & VirtioFeatures.ringReset != 0 }
            if isNegotiated { core.disableSelectedQueue(forgetting: true) }
        default:
            core.state.withLock { state in
                guard !state.isResetting else { return }
                writeState(&state, offset, value)
            }
        }
    }

    private func writeState(_ state: inout VirtioTransportCore.State, _ offset: UInt64, _ value: UInt32) {
        switch offset {
        case Register.deviceFeaturesSelect: state.deviceFeaturesSelect = value
        case Register.driverFeaturesSelect: state.driverFeaturesSelect = value
        case Register.driverFeatures:
            guard state.status & VirtioStatus.featuresOK == 0, state.driverFeaturesSelect < 2 else { return }
            state.driverFeatures.replaceWord(Int(state.driverFeaturesSelect), with: value)
        case Register.queueSelect: state.queueSelect = value
        default: writeQueue(&state, offset, value)
        }
    }

    /// The registers of the selected queue: before it is ready, from DRIVER on.
    private func writeQueue(_ state: inout VirtioTransportCore.State, _ offset: UInt64, _ value: UInt32) {
        guard let index = state.selected, state.status & VirtioStatus.driver != 0,
            state.queues[index].queue == nil, !state.queues[index].isStopping
        else { return }
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
