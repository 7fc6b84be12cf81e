internal import HostSystem

/// Another base for a qcow2 image whose base has moved: the contents must be the same.
package enum DiskRebase {
    /// Changes the name of the base in an image that nobody uses, and remembers the base as it is now.
    ///
    /// - Parameters:
    ///   - base: the path of the new base, as it will stand in the image.
    ///   - format: of the base.
    /// - Throws: `unsupported` for an image without a base, with snapshots, or without room for the name.
    package static func rebase(path: String, base: String, format: DiskImageFormat) throws(DiskImageError) {
        let file = try Qcow2File(path: path, readOnly: false)
        var header = try file.header()
        guard header.backing != nil, header.snapshotCount == 0 else {
            throw .unsupported(
                path: path, found: "the image has no base, or snapshots", advice: "convert it with 'aerie disk convert'"
            )
        }
        header.backing = Qcow2Header.Backing(
            name: base, format: format.rawValue, mark: try BackingMark(path: base))
        guard header.backingFits else {
            throw .unsupported(
                path: path, found: "a base's name of \(base.utf8.count) bytes", advice: "choose a shorter path")
        }
        try file.write(at: 0, header.encoded())
        do { try file.descriptor.synchronize() } catch { throw .system(error) }
    }
}
