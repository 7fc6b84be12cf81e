internal import HostSystem
package import SavedState
package import Virtio

/// A source of randomness (VIRTIO 1.2, section 5.4): the host kernel's generator.
package final class EntropyDevice: VirtioDevice {
    // The device may give less than was asked for, which bounds the work of a request.
    private static let mostBytes = 1 << 16

    package let type = VirtioDeviceType.entropy
    package let features: UInt64 = 0
    package let queueSizes: [UInt16] = [64]
    package let configuration: [UInt8] = []
    package let configurationGeneration: UInt32 = 0

    package init() {}

    package func writeConfiguration(_ bytes: [UInt8], at offset: Int) {}

    package func serve(_ request: TakenRequest, _ session: VirtioSession) throws(VirtQueueError) -> RequestProgress {
        let buffers = request.chain.writable
        var isRandom = true
        let count = buffers.forEach(count: Self.mostBytes, in: session.memory) { buffer in
            do { try fillWithRandomBytes(buffer) } catch { isRandom = false }
        }
        buffers.markModified(count: count, in: session.memory)
        // getrandom does not fail with valid arguments; if it ever does, the buffer's contents are not passed off as random.
        return .done(written: isRandom ? count : 0)
    }

    /// Nothing: every byte is new.
    package func save() throws(SavedStateError) -> SavedRecord {
        SavedRecord(kind: "virtio-entropy", version: 1)
    }

    package func restore(_ state: SavedRecord) throws(SavedStateError) {
        try state.expect(kind: "virtio-entropy", versions: 1...1)
    }
}
