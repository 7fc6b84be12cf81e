import DiskImages
import GuestToolchain

extension TemporaryDirectory {
    /// An overlay of the file at `path`, with its changes in this directory.
    func overlay(of path: String) throws -> OverlayDiskImage {
        try OverlayDiskImage(
            base: RawDiskImage(path: path, readOnly: true),
            changes: ScratchDirectory(candidates: [self.path]).makeFile())
    }
}
