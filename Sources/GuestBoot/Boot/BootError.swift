/// Why a guest cannot be started with what it was given. The description is one line for people.
package enum BootError: Error, Equatable {
    /// Neither a kernel nor a firmware was named.
    case nothingToBoot
    case missing(BootItem)
    case unreadable(BootItem, reason: String)
    case notAFile(BootItem)
    case empty(BootItem)
    /// The file is `found` bytes long; `needed` is where its headers say it ends, nil when only decompression tells.
    case truncated(BootItem, needed: UInt64?, found: UInt64)
    case wrongArchitecture(BootItem, found: String, expected: String)
    case unknownFormat(BootItem)
    case unsupportedCompression(BootItem, method: String)
    case corruptCompression(BootItem, method: String, reason: String)
    /// A header contradicts itself or what may stand in it.
    case corrupt(BootItem, reason: String)
    /// It decompresses to more than `limit` bytes, the guest's memory.
    case decompressesTooLarge(BootItem, limit: UInt64)
    /// It needs `size` bytes, at `address` when it must be there, and `memory` bytes are all the guest has.
    case doesNotFit(BootItem, size: UInt64, address: UInt64?, memory: UInt64)
    /// It belongs at `address`, which is not one of `memory`.
    case outsideMemory(BootItem, address: UInt64, memory: Range<UInt64>)
    /// It belongs at `address`, where `other` already is.
    case overlaps(BootItem, other: String, address: UInt64)
    case badCommandLine(reason: String)
}

extension BootError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .nothingToBoot:
            "boot: neither a kernel nor a firmware is given; name one with --kernel or --firmware"
        case .missing(let item): "\(item): the file does not exist; check the path"
        case .unreadable(let item, let reason): "\(item): it cannot be read (\(reason)); check the file's permissions"
        case .notAFile(let item): "\(item): it is not a regular file; name a file"
        case .empty(let item): "\(item): the file is empty; get a complete copy"
        case .truncated(let item, .some(let needed), let found):
            "\(item): the file ends after \(found) bytes and its headers speak of \(needed); get a complete copy"
        case .truncated(let item, nil, let found):
            "\(item): the file ends after \(found) bytes, amid its compressed data; get a complete copy"
        case .wrongArchitecture(let item, let found, let expected):
            "\(item): it is \(found) and the guest is \(expected); use one made for \(expected)"
        case .unknownFormat(let item):
            "\(item): the format is not known; use a flat Image, a bzImage, an ELF file, a compressed or EFI form of these, or raw code for riscv64"
        case .unsupportedCompression(let item, let method):
            "\(item): it is compressed with \(method), and only gzip and zstd are known; decompress it first"
        case .corruptCompression(let item, let method, let reason):
            "\(item): its \(method) data is damaged (\(reason)); get an intact copy"
        case .corrupt(let item, let reason): "\(item): it is malformed (\(reason)); get an intact copy"
        case .decompressesTooLarge(let item, let limit):
            "\(item): it decompresses to more than the guest's \(sizeText(limit)); give it more with --memory"
        case .doesNotFit(let item, let size, .some(let address), let memory):
            "\(item): it needs \(sizeText(size)) at \(hexadecimal(address)) and the guest has \(sizeText(memory)); "
                + "give it more with --memory"
        case .doesNotFit(let item, let size, nil, let memory):
            "\(item): it needs \(sizeText(size)) and the guest's \(sizeText(memory)) have no such gap left; "
                + "give it more with --memory"
        case .outsideMemory(let item, let address, let memory):
            "\(item): it belongs at \(hexadecimal(address)), and the guest's memory is from "
                + "\(hexadecimal(memory.lowerBound)) to \(hexadecimal(memory.upperBound - 1)); link it for an address there"
                + (address < memory.lowerBound ? "" : ", or give the guest more with --memory")
        case .overlaps(let item, let other, let address):
            "\(item): it belongs at \(hexadecimal(address)), where \(other) already is; link it for another address"
        case .badCommandLine(let reason): "kernel command line: \(reason); shorten or correct it"
        }
    }
}

/// A number of bytes for people, rounded up: "34 MiB".
func sizeText(_ bytes: UInt64) -> String {
    for (shift, unit) in [(30 as UInt64, "GiB"), (20, "MiB"), (10, "KiB")] where bytes >> shift > 0 {
        let mask = (1 as UInt64) << shift - 1
        // Whole GiB only: 1536 MiB says more than 2 GiB.
        if unit == "GiB" && bytes & mask != 0 { continue }
        return "\((bytes >> shift) + (bytes & mask == 0 ? 0 : 1)) \(unit)"
    }
    return "\(bytes) bytes"
}

func hexadecimal(_ value: some BinaryInteger) -> String { "0x" + String(value, radix: 16) }
