internal import HostSystem

/// Writes the contents of an overlay into its backing file, which then reads as the overlay does.
package struct DiskCommit {
    private static let step: UInt64 = 2 << 20

    /// The overlay takes note of the backing file's new state, so that it can be used on. It reads the same at every moment, also when this is
    /// interrupted or killed: then it does not compare its backing file with an earlier state, and the commit can be repeated.
    ///
    /// - Returns: the backing file's path.
    package static func commit(path: String, progress: DiskCopy.Progress) throws(DiskImageError) -> String {
        let basePath = try writeBase(of: path, progress)
        try mark(path: path, base: basePath)
        return basePath
    }

    private static func writeBase(of path: String, _ progress: DiskCopy.Progress) throws(DiskImageError) -> String {
        let (basePath, format, size) = try checkedBase(of: path)
        let base = try DiskImageChain.open(path: basePath, format: format, readOnly: false)
        defer { base.close() }
        guard base.size >= size else {
            throw .unsupported(
                path: path, found: "the image is larger than its backing file of \(base.size) bytes",
                advice: "make that one larger with 'aerie disk resize'")
        }
        // From the first write on, the backing file is not the one that the overlay was made on.
        try mark(path: path, base: nil)
        let overlay = try DiskImageChain.openAlone(path: path, readOnly: true)
        defer { overlay.close() }
        try copy(overlay, to: base, progress)
        return basePath
    }

    /// The backing file of an overlay, which has not changed, and the overlay's size.
    private static func checkedBase(
        of path: String
    ) throws(DiskImageError) -> (path: String, format: DiskImageFormat, size: UInt64) {
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
        return (basePath, format, overlay.size)
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

    /// Makes an overlay accept its backing file in its present state; with nil, in every state.
    private static func mark(path: String, base: String?) throws(DiskImageError) {
        let file = try Qcow2File(path: path, readOnly: false)
        guard let offset = try file.header().backing?.markOffset else { return }
        let bytes = try base.map { (base) throws(DiskImageError) in try BackingMark(path: base).encoded }
        try file.write(at: UInt64(offset), bytes ?? BackingMark.none)
        try file.synchronize()
    }
}
