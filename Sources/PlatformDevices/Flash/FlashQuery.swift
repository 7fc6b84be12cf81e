/// What a chip answers to a CFI query (JEDEC JESD68.01): a byte for each of its word addresses.
enum FlashQuery {
    static let table: [UInt8] = {
        var table = [UInt8](repeating: 0, count: 0x40)
        func set(_ address: Int, _ bytes: [UInt8]) {
            table.replaceSubrange(address..<address + bytes.count, with: bytes)
        }
        set(0x10, Array("QRY".utf8))
        // Primary command set 0x0001 (Intel), its table at 0x31; no alternate set.
        set(0x13, [0x01, 0x00, 0x31, 0x00])
        // Supply 4.5 to 5.5 V, no separate programming voltage.
        set(0x1B, [0x45, 0x55, 0x00, 0x00])
        // Typical times as powers of two: word and buffer program 128 µs, block erase 1024 ms; maxima 16 times as long.
        set(0x1F, [0x07, 0x07, 0x0A, 0x00, 0x04, 0x04, 0x04, 0x00])
        // 2^24 bytes; 16-bit interface; a write buffer of 2^9 bytes.
        set(0x27, [0x18, 0x01, 0x00, 0x09, 0x00])
        // One region: 128 blocks (less one) of 512 * 256 bytes.
        set(0x2C, [0x01, 0x7F, 0x00, 0x00, 0x02])
        // Intel's table, version 1.0, without optional features.
        set(0x31, Array("PRI10".utf8))
        set(0x3D, [0x50])
        return table
    }()
}
