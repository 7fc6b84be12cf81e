extension Qcow2File {
    /// Refuses to change an image that may be damaged, and takes back from the header what a change makes untrue.
    func prepareForWriting(_ header: Qcow2Header) throws(DiskImageError) {
        if header.features.isCorrupt { throw .damaged(path: path, found: "the image is marked as corrupt") }
        guard header.version >= 3, header.features.autoclear != 0 else { return }
        // Bitmaps do not follow the changes, and unknown features would not, either.
        try write(at: UInt64(Qcow2Header.Field.autoclear), [UInt8](repeating: 0, count: 8))
    }
}
