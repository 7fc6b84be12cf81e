internal import Synchronization

// The registers in which version 1 differs (VIRTIO 1.2, section 4.2.4).

private typealias Register = MMIORegister

extension VirtioMMIOTransport {
    func readLegacy(_ offset: UInt64) -> UInt64 {
        switch offset {
        case Register.deviceFeatures, Register.queueSizeMaximum: return core.state.withLock { readState($0, offset) }
        case Register.queuePageNumber:
            // 0 tells the driver that the queue is not in use.
            let pageSize = legacy.withLock { UInt64($0.pageSize) }
            return core.state.withLock { state in
                guard let index = state.selected, let queue = state.queues[index].queue, pageSize > 0 else { return 0 }
                return queue.layout.descriptors / pageSize
            }
        default: return 0
        }
    }

    func writeLegacy(_ offset: UInt64, _ value: UInt32) {
        switch offset {
        case Register.guestPageSize where LegacyQueueRegisters.isValid(value):
            legacy.withLock { $0.pageSize = value }
        case Register.queuePageNumber where value == 0: core.disableSelectedQueue(forgetting: false)
        case Register.queueNotify:
            // Legacy drivers use queues before DRIVER_OK, and the device has to serve them (section 3.1.2).
            core.beginEarly(queue: value)
            core.notify(value)
        default: core.write { writeLegacyQueue(&$0, offset, value) }
        }
    }

    /// The registers of the selected queue, before it is in use, and those of both versions.
    private func writeLegacyQueue(_ state: inout VirtioTransportCore.State, _ offset: UInt64, _ value: UInt32) {
        guard [Register.queueSize, Register.queueAlignment, Register.queuePageNumber].contains(offset) else {
            return writeState(&state, offset, value)
        }
        guard let index = core.changeableQueue(state) else { return }
        switch offset {
        case Register.queueSize: state.queues[index].layout.size = UInt16(exactly: value) ?? 0
        case Register.queueAlignment:
            if LegacyQueueRegisters.isValid(value) { legacy.withLock { $0.alignments[index] = value } }
        default:
            let registers = legacy.withLock { $0 }
            state.queues[index].layout = registers.layout(
                index, size: state.queues[index].layout.size, pageNumber: value)
            core.enableQueue(index, &state)
        }
    }
}
