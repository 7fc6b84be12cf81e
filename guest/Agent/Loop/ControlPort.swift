/// The virtio console for the host's wishes: lines of text in both directions.
struct ControlPort: ~Copyable {
    private let port: Descriptor
    private var line: [UInt8] = []
    private var isTooLong = false

    private static let longestLine = 256

    /// Nil if the guest has no such console.
    init?(_ name: [UInt8]) {
        var path = [UInt8]("/dev/")
        path.add(name)
        let flags = OpenFlags.readWrite | OpenFlags.noTerminal | OpenFlags.nonblocking
        guard let port = try? FileAccess.open(path, flags) else { return nil }
        Terminal.makeRaw(port.number)
        self.port = port
    }

    func register(_ poller: borrowing Poller) {
        poller.set(port.number, from: 0, to: Poller.readable, key: EventKey(.controlPort))
    }

    /// Reads what has come, and calls `body` with each whole line.
    mutating func receive(_ body: ([UInt8]) -> Void) {
        var count = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: 512) { buffer, used in
            count = port.read(UnsafeMutableRawPointer(buffer.baseAddress.unsafelyUnwrapped), 512)
            used = max(count, 0)
        }
        for byte in bytes {
            if byte == 10 {
                if !isTooLong { body(line) }
                line = []
                isTooLong = false
            } else if line.count < Self.longestLine {
                line.append(byte)
            } else {
                isTooLong = true
            }
        }
    }

    /// Writes a line. A host that does not read loses it.
    func write(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { _ = port.write($0.baseAddress.unsafelyUnwrapped, bytes.count) }
    }
}
