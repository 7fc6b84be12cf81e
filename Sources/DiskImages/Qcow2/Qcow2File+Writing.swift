extension Qcow2File {
    /// Makes an image ready for changes: repairs the counts of one that was not closed, refuses one that is damaged, and takes back
    /// from the header what a change makes untrue.
    func prepareForWriting(_ header: Qcow2Header) throws(DiskImageError) {
        if header.features.isCorrupt { throw .damaged(path: path, found: "the image is marked as corrupt") }
        if header.features.isDirty {
            let report = try Qcow2Checker.check(self, header, .counts)
            guard report.errors == report.repairedErrors else {
                throw .damaged(path: path, found: report.findings.first ?? "its reference counts cannot be repaired")
            }
        }
        guard header.version >= 3, header.features.autoclear != 0 else { return }
        // Bitmaps do not follow the changes, and unknown features would not, either.
        try write(at: UInt64(Qcow2Header.Field.autoclear), [UInt8](repeating: 0, count: 8))
    }
}
