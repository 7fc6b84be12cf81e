import DiskImages
import Foundation
import GuestToolchain
import TestSupport
import Testing

/// A process that writes to an image is killed in the middle of it.
@Suite struct Qcow2KilledWriterTests {
    private let directory = TemporaryDirectory()

    /// Starts the writer, and kills it when it has reported `flushes` flushes.
    ///
    /// - Returns: the last operation whose flush it reported.
    private func write(to path: String, after first: Int, flushes: Int) throws -> Int {
        let program = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
            .deletingLastPathComponent().appending(path: "DiskWriter")
        let output = Pipe()
        let writer = try ChildProgram(
            program.path, [path, "\(first)"], output: output.fileHandleForWriting.fileDescriptor)
        try output.fileHandleForWriting.close()
        var text: [UInt8] = []
        while text.count(where: { $0 == UInt8(ascii: "\n") }) < flushes {
            let part = output.fileHandleForReading.availableData
            if part.isEmpty { break }
            text += part
        }
        writer.kill()
        text += output.fileHandleForReading.readDataToEndOfFile()
        let lines = String(decoding: text, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
        // The last one may be cut.
        return try #require(lines.dropLast().last.flatMap { Int($0) })
    }

    @Test(arguments: ["cluster_size=512", "cluster_size=4096,refcount_bits=1", "cluster_size=65536", "compat=0.10"])
    func nothingThatAFlushAcknowledgedIsLost(_ options: String) throws {
        let size = DiskWriterOperation.sectorCount * 512
        let path = directory.path("disk.qcow2")
        try QemuImage.image("create", "-f", "qcow2", "-o", options, path, "\(size)")
        // Per sector: the last operation that is certain, and later ones that may have been done.
        var certain = [Int](repeating: 0, count: DiskWriterOperation.sectorCount)
        var random = RandomNumbers(seed: options.count)
        for round in 0..<8 {
            // Operations of a round have numbers of its own.
            let first = round * 1_000_000
            let last = try write(to: path, after: first, flushes: 1 + random.next(below: 40))
            for number in first + 1...last {
                for sector in DiskWriterOperation(number).sectors { certain[sector] = number }
            }
            let check = try QemuImage.check(path)
            #expect(check.corruptions == nil && check.errors == 0)
            let ours = try Qcow2Checker.check(path: path, repair: .nothing)
            #expect(ours.errors == 0 && Int(ours.leaks) == check.leaks ?? 0)
            #expect(try Qcow2Checker.check(path: path, repair: .leaks).isClean)
            #expect(try QemuImage.check(path) == .clean)
            try expectContents(of: path, &certain, after: last)
        }
    }

    /// Every sector is as a certain operation has left it, or a later one.
    private func expectContents(of path: String, _ certain: inout [Int], after last: Int) throws {
        let image = try openQcow2(path)
        defer { image.close() }
        let bytes = try image.bytes(at: 0, count: certain.count * 512)
        for sector in certain.indices {
            let found = Array(bytes[sector * 512..<(sector + 1) * 512])
            let expected = DiskWriterOperation(certain[sector])
            let isExpected =
                certain[sector] == 0 || expected.isZero
                ? found.allSatisfy { $0 == 0 } : found == expected.content(of: sector)
            if isExpected { continue }
            let number = found.withUnsafeBytes { Int(truncatingIfNeeded: $0.load(as: UInt64.self)) }
            // Zeroes have no number: the first operation after the flush that zeroes the sector stands for them.
            let later =
                found.allSatisfy { $0 == 0 }
                ? (last + 1...last + 2000).map(DiskWriterOperation.init).first {
                    $0.isZero && $0.sectors.contains(sector)
                }
                : DiskWriterOperation(number)
            let operation = try #require(later, "sector \(sector) has lost operation \(certain[sector])")
            #expect(operation.number > last && operation.sectors.contains(sector), "sector \(sector)")
            if !operation.isZero { #expect(found == operation.content(of: sector), "sector \(sector)") }
            certain[sector] = operation.number
        }
    }
}
