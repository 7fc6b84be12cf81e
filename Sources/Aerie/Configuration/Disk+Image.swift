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
            switch access {
            case .readWrite: return try RawDiskImage(path: path, readOnly: false)
            case .readOnly: return try RawDiskImage(path: path, readOnly: true)
            case .discardChanges:
                let base = try RawDiskImage(path: path, readOnly: true)
                return try OverlayDiskImage(base: base, changes: scratch.makeFile())
            }
        } catch {
            let category: AerieError.Category =
                switch error {
                case .changesTooLarge: .unavailable
                case .noScratch: .notStarted
                default: .badInput
                }
            throw AerieError(category, line: error.description)
        }
    }
}
