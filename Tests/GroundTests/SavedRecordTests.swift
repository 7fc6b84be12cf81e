import SavedState
import Testing

@Suite struct SavedRecordTests {
    private func example() -> SavedRecord {
        var inner = SavedRecord(kind: "queue", version: 3)
        inner.set("size", UInt16(256))
        var record = SavedRecord(kind: "disk", version: 1)
        record.set("ready", true)
        record.set("offset", -5)
        record.set("name", "vda")
        record.set("data", [UInt8](0..<200))
        record.set("queues", [inner, inner])
        record.set("words", [UInt64.max, 0, 1])
        return record
    }

    @Test func whatWasEncodedDecodesToTheSame() throws {
        let record = example()
        #expect(try SavedRecord(encoded: record.encoded(), limit: 4096) == record)
    }

    @Test func everyDamagedByteIsNoticed() {
        let bytes = example().encoded()
        for index in bytes.indices {
            var damaged = bytes
            damaged[index] ^= 0x40
            #expect(throws: SavedStateError.self) { try SavedRecord(encoded: damaged, limit: 4096) }
        }
    }

    @Test func everyTruncationIsNoticed() {
        let bytes = example().encoded()
        for count in bytes.indices {
            #expect(throws: SavedStateError.self) { try SavedRecord(encoded: Array(bytes[..<count]), limit: 4096) }
        }
    }

    @Test func aStateOverTheLimitIsRefusedBeforeItIsDecoded() {
        let bytes = example().encoded()
        let error = SavedStateError.tooLarge(bytes: UInt64(bytes.count - 24), limit: 100)
        #expect(throws: error) { try SavedRecord(encoded: bytes, limit: 100) }
    }

    @Test func aFieldOfAnotherTypeOrSizeIsAnError() throws {
        let record = example()
        #expect(throws: SavedStateError.badField(kind: "disk", field: "offset")) {
            try record.integer("offset", as: UInt8.self)
        }
        #expect(throws: SavedStateError.missingField(kind: "disk", field: "nothing")) { try record.boolean("nothing") }
        #expect(throws: SavedStateError.badField(kind: "disk", field: "data")) { try record.bytes("data", limit: 199) }
    }
}
