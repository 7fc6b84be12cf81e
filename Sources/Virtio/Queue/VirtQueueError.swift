/// How a driver broke the rules of a virtqueue (VIRTIO 1.2, sections 2.6 and 2.7).
package enum VirtQueueError: Error, Equatable, CustomStringConvertible {
    /// A size of 0, not a power of 2, or more than the device allows.
    case badSize(UInt16, limit: UInt16)
    /// A part of the ring whose address is not aligned as it must be.
    case misaligned(address: UInt64, alignment: UInt64)
    case outsideMemory(address: UInt64, count: UInt64)
    /// The available index is further ahead than the queue is long.
    case indexJump(from: UInt16, to: UInt16)
    /// More buffers made available than the queue has descriptors, none of which came back yet.
    case tooManyOutstanding
    case badDescriptorIndex(UInt16)
    /// A chain that is longer than allowed, which is also how a loop shows.
    case chainTooLong(limit: Int)
    case indirectNotNegotiated
    /// An indirect descriptor inside a table, or one that has a successor.
    case misplacedIndirect
    /// A table that is empty, not a whole number of descriptors, or longer than allowed.
    case badIndirectTable(bytes: UInt32)
    /// A buffer for the device to read that follows one for it to write.
    case readableAfterWritable
    /// A chain of more than 4 GiB.
    case chainTooLarge
    /// A request that lacks what its device needs, for example room for its status.
    case badRequest(String)

    package var description: String {
        switch self {
        case .badSize(let size, let limit): "queue size \(size) is not a power of 2 from 1 to \(limit)"
        case .misaligned(let address, let alignment):
            "ring address 0x\(String(address, radix: 16)) is not a multiple of \(alignment)"
        case .outsideMemory(let address, let count):
            "guest-physical range 0x\(String(address, radix: 16)), \(count) bytes, is not in the guest's memory"
        case .indexJump(let from, let to): "the available index jumped from \(from) to \(to)"
        case .tooManyOutstanding: "more buffers were made available than the queue has descriptors"
        case .badDescriptorIndex(let index): "descriptor \(index) is outside of the table"
        case .chainTooLong(let limit): "a descriptor chain has more than \(limit) descriptors, or loops"
        case .indirectNotNegotiated: "an indirect descriptor was used without the feature"
        case .misplacedIndirect: "an indirect descriptor must be the last of its chain, outside of a table"
        case .badIndirectTable(let bytes): "an indirect table cannot have \(bytes) bytes"
        case .readableAfterWritable: "a readable descriptor follows a writable one"
        case .chainTooLarge: "a descriptor chain has more than 4 GiB"
        case .badRequest(let reason): reason
        }
    }

    /// The kind of the error, for a log's budget.
    package var cause: StaticString {
        switch self {
        case .badSize: "queue size"
        case .misaligned: "ring alignment"
        case .outsideMemory: "outside memory"
        case .indexJump: "index jump"
        case .tooManyOutstanding: "too many outstanding"
        case .badDescriptorIndex: "descriptor index"
        case .chainTooLong: "chain length"
        case .indirectNotNegotiated: "indirect not negotiated"
        case .misplacedIndirect: "misplaced indirect"
        case .badIndirectTable: "indirect table"
        case .readableAfterWritable: "readable after writable"
        case .chainTooLarge: "chain size"
        case .badRequest: "bad request"
        }
    }
}
