internal import Glibc
internal import HostSystem
internal import MachineSession
internal import SavedState

/// Entries for saved state and settings.
enum StateFuzzing {
    /// A record that can be read is the same after it was written and read again. The checksum is made right, since a fuzzer
    /// would not guess it.
    static func savedRecord(_ bytes: [UInt8]) {
        for encoded in [bytes, withRightChecksum(bytes)] {
            guard let record = try? SavedRecord(encoded: encoded, limit: 1 << 20) else { continue }
            let again = try? SavedRecord(encoded: record.encoded(), limit: 1 << 21)
            precondition(again == record, "a saved record changes when it is written")
        }
    }

    /// The header has the checksum at byte 12 and the payload's length at byte 16, little endian; the payload follows.
    private static func withRightChecksum(_ bytes: [UInt8]) -> [UInt8] {
        let header = SavedRecord(kind: "", version: 0).encoded().prefix(12)
        let payload = bytes.dropFirst(24)
        var result = Array(header)
        withUnsafeBytes(of: CRC32C.checksum(of: payload).littleEndian) { result += $0 }
        withUnsafeBytes(of: UInt64(payload.count).littleEndian) { result += $0 }
        return result + payload
    }

    static func settings(_ bytes: [UInt8]) {
        guard let file = try? makeMemoryFile(name: "input", size: 0),
            (try? bytes.withUnsafeBytes { try file.writeAll(at: 0, $0) }) != nil
        else { return }
        // Opening the name gives a description of its own, at the file's beginning.
        _ = try? SettingsFile.read("/proc/self/fd/\(file.rawValue)").configuration()
    }
}
