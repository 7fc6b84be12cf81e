internal import GuestMemory
internal import Machine
internal import Synchronization
internal import Virtio

/// The port of a console: output from the transmit queue as far as the channel takes it, input into the receive queue as far as
/// there are buffers for it, and the window's size.
final class ConsolePort: Sendable {
    /// The terminal's size as the driver sees it.
    struct Window: Equatable {
        var columns: UInt16 = 0
        var rows: UInt16 = 0
        var generation: UInt32 = 0
    }

    static let receiveQueue = 0
    static let transmitQueue = 1
    /// The most bytes to move at once.
    private static let stepSize = 4096
    /// The most bytes of a buffer between two turns of other handlers of the loop.
    private static let mostBytesAtOnce = 1 << 20

    private let channel: any CharacterChannel
    private let window = Mutex(Window())
    // How many bytes of the transmit queue's next buffer the channel has taken. The buffer goes back when it has all.
    private let transmitted = Atomic(0)

    init(channel: any CharacterChannel) {
        self.channel = channel
        updateWindow()
    }

    var currentWindow: Window {
        get { window.withLock { $0 } }
        set { window.withLock { $0 = newValue } }
    }

    /// Bytes of the next buffer that are out already. The buffer's length is the driver's to change, so any value is safe.
    var transmittedCount: Int {
        get { transmitted.load(ordering: .relaxed) }
        set { transmitted.store(newValue, ordering: .relaxed) }
    }

    /// Takes over the terminal's size.
    ///
    /// - Returns: whether it had changed.
    @discardableResult
    func updateWindow() -> Bool {
        let size = channel.windowSize ?? (0, 0)
        return window.withLock { window in
            guard (window.columns, window.rows) != size else { return false }
            window = Window(columns: size.columns, rows: size.rows, generation: window.generation &+ 1)
            return true
        }
    }

    /// - Parameter again: called when the rest of the buffer has to wait only for other handlers.
    func transmit(_ buffers: GuestBuffers, in memory: GuestMemory, again: () -> Void) -> RequestProgress {
        var done = min(transmittedCount, buffers.count)
        let limit = done + min(buffers.count - done, Self.mostBytesAtOnce)
        while done < limit {
            let bytes = buffers.bytes(from: done, count: min(Self.stepSize, limit - done), in: memory)
            let taken = channel.write(bytes)
            done += taken
            if taken < bytes.count {
                // The channel's handler wakes the device when there is room.
                transmittedCount = done
                return .waits
            }
        }
        guard done == buffers.count else {
            transmittedCount = done
            again()
            return .waits
        }
        transmittedCount = 0
        return .done(written: 0)
    }

    func receive(_ buffers: GuestBuffers, in memory: GuestMemory) -> RequestProgress {
        let room = min(buffers.count, Self.stepSize)
        let bytes = room > 0 ? channel.read(limit: room) : []
        // A buffer waits for input, whose handler wakes the device.
        if bytes.isEmpty, room > 0 { return .waits }
        buffers.write(bytes, in: memory)
        return .done(written: bytes.count)
    }
}
