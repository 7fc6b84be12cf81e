#if arch(x86_64)
    internal import GuestBoot
    internal import GuestMemory
    internal import HostSystem
    internal import Machine
    internal import SavedState

    /// The chip with the firmware of an x86 machine: read-only memory that ends at 4 GiB, where a processor starts at its reset
    /// vector, 16 bytes below the end. What the guest writes to it is lost.
    final class X86Firmware: Device {
        /// Below lie the local APICs, and the pages that KVM itself needs.
        private static let mostBytes: UInt64 = 16 << 20
        private static let end: UInt64 = 1 << 32
        /// A PC's firmware finds its last part below 1 MiB as well, as long as it has not put memory there.
        private static let shadowEnd: UInt64 = 0x10_0000
        private static let mostShadowed: UInt64 = 0x2_0000

        let name = "firmware"
        let memory: GuestMemory
        private let size: UInt64

        /// Reads the whole file: whole pages, at most 16 MiB.
        init(path: String) throws(AerieError) {
            let source = try wrapping("--firmware \(path)") { () throws(BootError) in
                try BootSource(.firmware, path: path)
            }
            let size = source.size
            guard size % 4096 == 0, size <= Self.mostBytes else {
                throw AerieError(
                    .badInput, asked: "--firmware \(path)", found: "\(size) bytes are no chip's",
                    advice: "give a file of 4K to 16M in steps of 4K")
            }
            let memory = try wrapping("--firmware \(path)") { () throws(SystemError) in
                try GuestMemory(ranges: [(Self.end - size, size)])
            }
            try wrapping("--firmware \(path)") { () throws(BootError) in
                try source.read(
                    at: 0, into: UnsafeMutableRawBufferPointer(start: memory.hostBase, count: Int(size)))
            }
            self.size = size
            self.memory = memory
        }

        /// Puts the part below 1 MiB where it is at power-on.
        func shadow(in target: GuestMemory) throws(AerieError) {
            let count = min(size, Self.mostShadowed)
            do throws(GuestMemoryError) {
                try target.write(
                    try memory.bytes(at: Self.end - count, count: Int(count)), at: Self.shadowEnd - count)
            } catch {
                throw AerieError(.usage, asked: "--firmware", found: error.description, advice: "give more --memory")
            }
        }

        private var checksum: UInt32 {
            // The memory has `size` bytes and lives as long as this object; nobody writes to it.
            CRC32C.checksum(of: UnsafeRawBufferPointer(start: memory.hostBase, count: Int(size)))
        }

        func reset() {}

        /// The sum of its bytes: the file itself is part of the configuration.
        func save() throws(SavedStateError) -> SavedRecord {
            var record = SavedRecord(kind: "x86-firmware", version: 1)
            record.set("size", size)
            record.set("checksum", checksum)
            return record
        }

        func restore(_ record: SavedRecord) throws(SavedStateError) {
            try record.expect(kind: "x86-firmware", versions: 1...1)
            let (savedSize, savedSum): (UInt64, UInt32) = (
                try record.integer("size"), try record.integer("checksum")
            )
            guard savedSize == size, savedSum == checksum else {
                throw .cannotRestore(name: name, reason: "the firmware's file is another one than when it was saved")
            }
        }
    }
#endif
