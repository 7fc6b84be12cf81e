internal import DiskImages

extension Configuration {
    /// Opens the images of all disks.
    func openDisks() throws(AerieError) -> [any DiskImage] {
        let scratch = ScratchDirectory(candidates: scratchDirectories)
        return try disks.map { disk throws(AerieError) in try disk.open(scratch) }
    }
}

extension Disk {
    /// Opens the disk's image with the configured format and access.
    ///
    /// - Parameter files: has the image's files open; nil opens them. Not with `discardChanges`.
    func open(_ scratch: ScratchDirectory, _ files: DiskFiles? = nil) throws(AerieError) -> any DiskImage {
        do {
            guard access == .discardChanges else { return try image(readOnly: access == .readOnly, files) }
            return try OverlayDiskImage(base: try grown(image(readOnly: true)), changes: scratch.makeFile())
        } catch {
            throw AerieError(disk: error)
        }
    }

    private func grown(_ image: any DiskImage) throws(DiskImageError) -> any DiskImage {
        guard let size, size.bytes != image.size else { return image }
        guard size.bytes > image.size else {
            throw .unsupported(
                path: path, found: "the disk has \(image.size) bytes, more than \(size)", advice: "choose a larger size"
            )
        }
        return try GrownDiskImage(image, size: size.bytes)
    }

    private func image(readOnly: Bool, _ files: DiskFiles? = nil) throws(DiskImageError) -> any DiskImage {
        if cache == .none, format != .qcow2 {
            if format == nil, try DiskImageFormat.apparent(path: path, files: files) != .raw {
                throw .formatNotGiven(path: path)
            }
            return try DirectDiskImage(path: path, readOnly: readOnly, files: files)
        }
        return try DiskImageChain.open(
            path: path, format: imageFormat, readOnly: readOnly, synchronizes: cache != .unsafe, files: files)
    }

    var imageFormat: DiskImageFormat? { format.map { $0 == .raw ? .raw : .qcow2 } }
}
