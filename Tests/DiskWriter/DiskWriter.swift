import DiskImages
import Glibc
import HostSystem
import TestSupport

// Writes to a qcow2 image until it is killed: DiskWriter IMAGE SEED. After each flush it prints the number of the last operation
// that the flush made durable. `DiskWriterOperation` says what an operation does.

private func fail(_ error: any Error) -> Never {
    StandardError.write("\(error)\n")
    exit(70)
}

private func write(_ operation: DiskWriterOperation, to image: any DiskImage) throws(DiskImageError) {
    let offset = UInt64(operation.sectors.lowerBound) * 512
    guard !operation.isZero else {
        return try image.writeZeroes(at: offset, count: UInt64(operation.sectors.count) * 512, mayUnmap: true)
    }
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: operation.sectors.count * 512, alignment: 16)
    defer { bytes.deallocate() }
    bytes.copyBytes(from: operation.sectors.flatMap(operation.content))
    try image.write(at: offset, from: IOBuffers(bytes))
}

private func run(_ path: String, _ seed: Int) throws(DiskImageError) -> Never {
    let image = try DiskImageChain.open(path: path, format: .qcow2, readOnly: false)
    var number = seed
    while true {
        number += 1
        let operation = DiskWriterOperation(number)
        try write(operation, to: image)
        guard operation.isFlushed else { continue }
        try image.flush()
        // One write, so that a line is there as a whole when its reader is.
        let line = Array("\(number)\n".utf8)
        guard Glibc.write(STDOUT_FILENO, line, line.count) == line.count else { exit(74) }
    }
}

@main
enum DiskWriter {
    static func main() {
        do {
            try run(CommandLine.arguments[1], Int(CommandLine.arguments[2]) ?? 0)
        } catch {
            fail(error)
        }
    }
}
