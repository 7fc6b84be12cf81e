import Glibc
import HostSystem
import Testing

@Suite("Memory that is cleared and given back") struct ClearedMemoryTests {
    private static let page = 4096

    /// Whether pages from an address on are present.
    private func present(_ address: UnsafeMutableRawPointer, _ count: Int) -> [Bool] {
        var states = [UInt8](repeating: 0, count: count)
        #expect(mincore(address, count * Self.page, &states) == 0)
        return states.map { $0 & 1 == 1 }
    }

    @Test("Bytes between two addresses become zero, whole pages among them are given back, and the others stay")
    func clears() throws {
        let mapping = try Mapping(count: 6 * Self.page, flags: MAP_PRIVATE | MAP_ANONYMOUS)
        let bytes = UnsafeMutableRawBufferPointer(start: mapping.address, count: mapping.count)
        for (start, count) in [(100, 3 * Self.page), (Self.page, 2 * Self.page), (10, 20), (4000, 200), (0, 0)] {
            memset(mapping.address, 0xA5, mapping.count)
            clearMemory(mapping.address + start, count: count)
            // Before the look at the bytes, which brings pages back.
            let first = (start + Self.page - 1) / Self.page
            let last = max(first, (start + count) / Self.page)
            let states = present(mapping.address, 6)
            #expect(states == (0..<6).map { !(first..<last).contains($0) })
            #expect(bytes.indices.allSatisfy { bytes[$0] == ((start..<start + count).contains($0) ? 0 : 0xA5) })
        }
    }
}
