#if arch(x86_64)
    internal import GuestBoot
    internal import GuestMemory
    internal import HostSystem
    internal import Machine
    internal import SavedState

    /// The firmware ROM of an x86 machine: read-only memory that ends at 4 GiB. vCPU 0 starts at the reset vector, 16 bytes below
    /// the end. The guest's writes are lost.
    final class X86Firmware: Device {
        /// Keeps the ROM above the local APICs and KVM's own pages.
        private static let mostBytes: UInt64 = 16 << 20
        private static let end: UInt64 = 1 << 32
        /// The ROM's last part is also below 1 MiB, as on a PC at power-on.
        private static let shadowEnd: UInt64 = 0x10_0000
        private static let mostShadowed: UInt64 = 0x2_0000

        let name = "firmware"
        let memory: GuestMemory
        private let size: UInt64

        /// Reads the file. Its size is a multiple of 4096 bytes and at most 16 MiB.
        init(path: String) throws(AerieError) {
            let source = try wrapping("--firmware \(path)") { () throws(BootError) in
                try BootSource(.firmware, path: path)
            }
            let size = source.size
            guard size % 4096 == 0, size <= Self.mostBytes else {
                throw AerieError(
                    .badInput, asked: "--firmware \(path)", found: "the size of \(size) bytes is not valid",
                    advice: "give a file of 4K to 16M, a multiple of 4K")
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

        /// Copies the ROM's last part below 1 MiB.
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
            // The memory has `size` bytes and exists as long as this object; nothing writes to it.
            CRC32C.checksum(of: UnsafeRawBufferPointer(start: memory.hostBase, count: Int(size)))
        }

        func reset() {}

        /// The ROM's size and checksum. The file belongs to the configuration and is not saved.
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
                throw .cannotRestore(name: name, reason: "the firmware file has changed since the machine was saved")
            }
        }
    }
#endif
