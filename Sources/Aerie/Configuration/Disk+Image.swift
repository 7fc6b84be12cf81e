internal import DiskImages

extension Disk {
    /// Opens the disk's image with the configured format and access.
    func open() throws(AerieError) -> any DiskImage {
        try wrapping("--disk \(path)") { () throws(DiskImageError) in
            switch access {
            case .readWrite: try RawDiskImage(path: path, readOnly: false)
            case .readOnly: try RawDiskImage(path: path, readOnly: true)
            case .discardChanges:
                try OverlayDiskImage(base: RawDiskImage(path: path, readOnly: true), directory: nil)
            }
        }
    }
}
