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
    fileprivate func open(_ scratch: ScratchDirectory) throws(AerieError) -> any DiskImage {
        do {
            guard access == .discardChanges else { return try image(readOnly: access == .readOnly) }
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

    private func image(readOnly: Bool) throws(DiskImageError) -> any DiskImage {
        if cache == .none, format != .qcow2 {
            if format == nil, try DiskImageFormat.apparent(path: path) != .raw { throw .formatNotGiven(path: path) }
            return try DirectDiskImage(path: path, readOnly: readOnly)
        }
        return try DiskImageChain.open(
            path: path, format: format.map { $0 == .raw ? .raw : .qcow2 }, readOnly: readOnly,
            synchronizes: cache != .unsafe)
    }
}
