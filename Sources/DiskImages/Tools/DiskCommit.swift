internal import HostSystem

/// Writes the contents of an overlay into its backing file, which then reads as the overlay does.
package struct DiskCommit {
    private static let step: UInt64 = 2 << 20

    /// - Returns: the backing file's path.
    package static func commit(path: String, progress: DiskCopy.Progress) throws(DiskImageError) -> String {
        let overlay = try DiskImageChain.openAlone(path: path, readOnly: true)
        defer { overlay.close() }
        guard let backing = overlay.header.backing else {
            throw .unsupported(path: path, found: "the image has no backing file", advice: "name an overlay")
        }
        let (basePath, format) = try backing.place(from: path)
        if let mark = backing.mark, try BackingMark(path: basePath) != mark {
            throw .backing(
                path: path, found: "its backing file \(basePath) has changed since the image was made",
                advice: "restore that file")
        }
        let base = try DiskImageChain.open(path: basePath, format: format, readOnly: false)
        defer { base.close() }
        guard base.size >= overlay.size else {
            throw .unsupported(
                path: path, found: "the image is larger than its backing file of \(base.size) bytes",
                advice: "make that one larger with 'aerie disk resize'")
        }
        try copy(overlay, to: base, progress)
        return basePath
    }

    private static func copy(
        _ overlay: Qcow2DiskImage, to base: any DiskImage, _ progress: DiskCopy.Progress
    ) throws(DiskImageError) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(step), alignment: 4096)
        defer { buffer.deallocate() }
        var position: UInt64 = 0
        while position < overlay.size {
            let part = try overlay.part(at: position, limit: min(overlay.size, position + step))
            switch part.content {
            case .unallocated: break
            case .zero: try base.writeZeroes(at: position, count: part.count, mayUnmap: true)
            case .data, .compressed:
                let buffers = IOBuffers(UnsafeMutableRawBufferPointer(rebasing: buffer[..<Int(part.count)]))
                try overlay.read(part, into: buffers)
                try base.write(at: position, from: buffers)
            }
            position = part.range.upperBound
            try progress(position, overlay.size)
        }
        try base.flush()
    }

    /// Makes an overlay accept its backing file in its present state, after a commit.
    package static func remember(path: String) throws(DiskImageError) {
        let file = try Qcow2File(path: path, readOnly: false)
        guard let backing = try file.header().backing, let offset = backing.markOffset else { return }
        try file.write(at: UInt64(offset), try BackingMark(path: try backing.place(from: path).path).encoded)
        try file.synchronize()
    }
}
