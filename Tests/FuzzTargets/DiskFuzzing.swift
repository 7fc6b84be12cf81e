internal import DiskImages
internal import Glibc
internal import HostSystem

/// The entry for qcow2 images: opens one, changes it as a guest may, and checks it.
enum DiskFuzzing {
    static func qcow2(_ bytes: [UInt8]) {
        guard let file = try? makeMemoryFile(name: "input", size: 0),
            (try? bytes.withUnsafeBytes { try file.writeAll(at: 0, $0) }) != nil
        else { return }
        // Opening the name gives a description of its own. What the image is based on is not opened: it would be any file of the host.
        let path = "/proc/self/fd/\(file.rawValue)"
        let before = try? Qcow2Checker.check(path: path, repair: .nothing)
        if let image = try? DiskImageChain.openAlone(path: path, readOnly: true) {
            use(image)
            image.close()
        }
        guard let image = try? DiskImageChain.openAlone(path: path, readOnly: false) else { return }
        use(image)
        image.close()
        guard let before, before.errors == 0 else {
            _ = try? Qcow2Checker.check(path: path, repair: .counts)
            return
        }
        let after = try? Qcow2Checker.check(path: path, repair: .leaks)
        precondition(after.map { $0.errors == 0 } ?? false, "a sound image is damaged by requests")
    }

    /// Requests at the disk's start, in its middle and at its end.
    private static func use(_ image: Qcow2DiskImage) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 16)
        defer { buffer.deallocate() }
        buffer.initializeMemory(as: UInt8.self, repeating: 0x5A)
        let count = min(image.size, UInt64(buffer.count))
        let buffers = IOBuffers(UnsafeMutableRawBufferPointer(rebasing: buffer[..<Int(count)]))
        for offset in [0, (image.size - count) / 1024 * 512, image.size - count] {
            try? image.read(at: offset, into: buffers)
            try? image.write(at: offset, from: buffers)
            try? image.writeZeroes(at: offset, count: count / 2, mayUnmap: offset == 0)
            try? image.flush()
            try? image.discard(at: offset, count: count)
        }
    }
}
