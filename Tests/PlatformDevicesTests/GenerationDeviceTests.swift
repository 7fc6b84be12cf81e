import PlatformDevices
import SavedState
import TestSupport
import Testing

@Suite("The generation ID") struct GenerationDeviceTests {
    private let sink = RecordingSink()

    private func device() throws -> GenerationDevice { try GenerationDevice(name: "generation", line: sink.line(7)) }

    private func identifier(_ device: GenerationDevice) -> [UInt64] {
        [device.read(offset: 0, size: 8), device.read(offset: 8, size: 8)]
    }

    @Test("A renewal changes the ID and raises the interrupt until the guest reads the ID")
    func renewal() throws {
        let device = try device()
        let first = identifier(device)
        #expect(identifier(device) == first)
        #expect(sink.raises(7) == 0)
        try device.renew()
        #expect(sink.level(7) == true)
        // Beside the ID nothing is read, and nothing acknowledges.
        #expect(device.read(offset: 16, size: 8) == 0)
        #expect(sink.level(7) == true)
        #expect(identifier(device) != first)
        #expect(sink.level(7) == false)
        #expect(sink.raises(7) == 1)
    }

    @Test("Accesses of every size read the bytes of one ID, and writes change none")
    func sizes() throws {
        let device = try device()
        let whole = identifier(device)
        device.write(offset: 0, size: 8, value: 0x1234)
        for size in [1, 2, 4] {
            for half in 0..<2 {
                let parts = stride(from: 0, to: 8, by: size).reversed().map {
                    device.read(offset: UInt64(half * 8 + $0), size: size)
                }
                #expect(parts.reduce(0) { $0 << UInt64(8 * size) | $1 } == whole[half])
            }
        }
        // An access over the end has zeroes there.
        #expect(device.read(offset: 15, size: 8) == whole[1] >> 56)
        var generator = SeededGenerator(seed: 15)
        generator.attack(device, size: GenerationDevice.size, hotspots: [0, 8, 16])
        #expect(identifier(device) == whole)
    }

    @Test("The ID and an interrupt that was not answered are saved; a reset keeps the ID only")
    func saving() throws {
        let device = try device()
        try device.renew()
        try SavedRecordCopy.expectEveryFieldIsChecked(of: device)
        let copy = try GenerationDevice(name: "generation", line: sink.line(8))
        try copy.restore(try SavedRecordCopy.throughBytes(try device.save()))
        try copy.start()
        #expect(sink.level(8) == true)
        #expect(identifier(copy) == identifier(device))
        try copy.renew()
        let renewed = try copy.save().bytes("identifier", limit: 16)
        copy.reset()
        #expect(sink.level(8) == false)
        #expect(try copy.save().bytes("identifier", limit: 16) == renewed)
        var short = SavedRecord(kind: "generation", version: 1)
        short.set("identifier", [UInt8](repeating: 1, count: 15))
        short.set("isUnread", false)
        #expect(throws: SavedStateError.badField(kind: "generation", field: "identifier")) { try copy.restore(short) }
    }
}
