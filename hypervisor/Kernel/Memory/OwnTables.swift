import Support

/// The hypervisor's own page tables: Sv39, addresses mapped to themselves. Text is read-only and the only memory that
/// executes; constants and the guests' images are read-only; the page below each stack is absent.
struct OwnTables {
    private static let read: UInt64 = 0xc3  // V R A D
    private static let write: UInt64 = 0xc7
    private static let execute: UInt64 = 0xcb

    private var root: UnsafeMutablePointer<UInt64>
    /// Pages for tables, taken from the front.
    private var pool: UInt64
    private let poolEnd: UInt64

    /// - Parameter pool: zeroed memory for the tables.
    init(pool: UInt64, size: UInt64) {
        root = pointer(pool)
        self.pool = pool + 4096
        poolEnd = pool + size
    }

    /// Maps the board: devices, all memory, the image's parts.
    mutating func mapBoard(_ board: Board, imageEnd: UInt64) {
        // Devices first; memory below the image is the firmware's and stays absent.
        if board.uart.address != 0 { map(board.uart.address & ~4095, 4096, Self.write) }
        if let registers = board.interrupts.registers {
            map(registers.address, min(registers.size, 64 << 20), Self.write)
        }
        if board.hasGuestFiles {
            for hart in 0..<board.hartCount {
                let file = hypervisor.pointee.harts[hart].guestFile
                if file != 0 { map(file, 4096, Self.write) }
            }
        }
        for index in 0..<board.virtioCount { map(board.virtio[index].address & ~4095, 4096, Self.write) }
        let text = hv_address_of_image_start()
        let textEnd = hv_address_of_text_end()
        let constantsEnd = hv_address_of_rodata_end()
        let dataEnd = hv_address_of_image_end()
        map(text, textEnd - text, Self.execute)
        map(textEnd, constantsEnd - textEnd, Self.read)
        map(constantsEnd, dataEnd - constantsEnd, Self.write)
        map(dataEnd, imageEnd - dataEnd, Self.read)
        let memoryEnd = board.memory.address + min(board.memory.size, UInt64(ChunkAllocator.capacity) << 21)
        map(imageEnd, memoryEnd - imageEnd, Self.write)
        if text > board.memory.address + 0x20_0000 {
            map(board.memory.address + 0x20_0000, text - board.memory.address - 0x20_0000, Self.write)
        }
        let stride = UInt64(HV_STACK_SIZE + HV_GUARD_SIZE)
        for hart in 0..<UInt64(HV_HARTS) { map(hv_address_of_stacks() + hart * stride, UInt64(HV_GUARD_SIZE), 0) }
    }

    /// The value of satp: mode 8 is Sv39.
    var satp: UInt64 { 8 << 60 | UInt64(UInt(bitPattern: root)) >> 12 }

    /// Maps a range with pages of 2 MiB where it can, 4 KiB elsewhere. Flags 0 remove what is mapped.
    private mutating func map(_ address: UInt64, _ size: UInt64, _ flags: UInt64) {
        let end = (address + size + 4095) & ~4095
        var page = address
        while page < end {
            let middle = table(root + Int(page >> 30 & 511))
            let entry = middle + Int(page >> 21 & 511)
            if page & 0x1f_ffff == 0, end - page >= 0x20_0000, entry.pointee == 0 {
                entry.pointee = page >> 2 | flags
                page += 0x20_0000
            } else {
                let leaf = table(entry) + Int(page >> 12 & 511)
                leaf.pointee = flags == 0 ? 0 : page >> 2 | flags
                page += 4096
            }
        }
    }

    private mutating func table(_ entry: UnsafeMutablePointer<UInt64>) -> UnsafeMutablePointer<UInt64> {
        if entry.pointee == 0 {
            if pool >= poolEnd { fatal("the hypervisor's page tables", "more than 1 MiB is needed") }
            entry.pointee = pool >> 2 | 1
            pool += 4096
        }
        return pointer(frame(entry.pointee))
    }
}

/// Memory at an address that the hypervisor maps to itself.
func pointer<T>(_ address: UInt64) -> UnsafeMutablePointer<T> {
    guard let pointer = UnsafeMutablePointer<T>(bitPattern: UInt(address)) else { fatal("an address", "it is 0") }
    return pointer
}

/// The page that an entry of a table points to.
func frame(_ entry: UInt64) -> UInt64 { (entry >> 10) << 12 }
