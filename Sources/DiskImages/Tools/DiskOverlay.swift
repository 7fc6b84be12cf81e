internal import HostSystem

/// A qcow2 image that keeps a guest's changes to another image.
package struct DiskOverlay {
    /// Makes sure that there is an overlay of `base` at `path`.
    ///
    /// - Parameters:
    ///   - base: an absolute path.
    ///   - size: of the disk, in bytes: that of a new overlay, and what one that is there grows to. Nil for the base's.
    /// - Throws: `backing` when the file at `path` is an overlay of something else.
    package static func prepare(
        path: String, base: String, format: DiskImageFormat, size: UInt64?
    ) throws(DiskImageError) {
        guard (try? FileIdentity(path: path)) != nil else {
            let image = try DiskImageChain.open(path: base, format: format, readOnly: true)
            defer { image.close() }
            try checkSize(size, of: image, path)
            var new = NewDisk(path: path, format: .qcow2, size: size ?? image.size)
            new.backing = try Qcow2Creation.Backing(name: base, format: format, remembering: base)
            return try new.make()
        }
        let information = try DiskInformation(path: path, format: .qcow2)
        guard let name = information.qcow2?.backingFile else {
            throw .backing(path: path, found: "the image is not an overlay", advice: "name another file")
        }
        let place = try Qcow2Header.Backing(name: name, format: information.qcow2?.backingFormat).place(from: path)
        // A base that is gone has no identity, and its own message when it is opened.
        if let found = try? FileIdentity(path: place.path), found != (try? FileIdentity(path: base)) {
            throw .backing(
                path: path, found: "the image is an overlay of \(place.path), not of \(base)",
                advice: "name another file, or start the image that it belongs to")
        }
        guard let size, size > information.size else { return }
        try DiskResize.resize(path: path, format: .qcow2, to: size, shrinks: false)
    }

    /// Checks the size that a disk is to grow to.
    private static func checkSize(_ size: UInt64?, of image: any DiskImage, _ path: String) throws(DiskImageError) {
        guard let size, size < image.size else { return }
        throw .unsupported(
            path: path, found: "the disk is to have \(size) bytes, and its base has \(image.size)",
            advice: "choose a larger size")
    }
}
