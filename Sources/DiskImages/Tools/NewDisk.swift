internal import Glibc
internal import HostSystem

/// Makes a disk image's file. It gets its name when it is complete.
package struct NewDisk: Sendable {
    package let path: String
    package let format: DiskImageFormat
    /// The size of the disk in bytes; whole sectors.
    package let size: UInt64
    package var clusterSize = Qcow2Creation.defaultClusterSize
    package var backing: Qcow2Creation.Backing?
    /// Whether a file that is there is replaced.
    package var replaces = false
    /// Whether the file survives a loss of power from then on; otherwise the caller sees to that.
    package var isDurable = true

    package init(path: String, format: DiskImageFormat, size: UInt64) {
        self.path = path
        self.format = format
        self.size = size
    }

    /// - Parameter fill: writes the first contents.
    package func make(_ fill: (any DiskImage) throws(DiskImageError) -> Void = { _ in }) throws(DiskImageError) {
        if !replaces, (try? FileIdentity(path: path)) != nil { throw .exists(path: path) }
        var file: ReplacementFile
        do {
            file = try ReplacementFile(replacing: path, mode: 0o644)
        } catch {
            throw .cannotOpen(path: path, error)
        }
        switch format {
        case .raw:
            do { try file.file.truncate(to: size) } catch { throw .system(error) }
        case .qcow2:
            let creation = Qcow2Creation(size: size, clusterSize: clusterSize, backing: backing)
            try creation.write(to: file.file, path: path)
        }
        try fillFile(file.temporary, fill)
        do {
            try file.commit(replaces: replaces, isDurable: isDurable)
        } catch {
            throw error.code == EEXIST ? .exists(path: path) : .system(error)
        }
    }

    private func fillFile(_ path: String, _ fill: (any DiskImage) throws(DiskImageError) -> Void) throws(DiskImageError)
    {
        let image: any DiskImage =
            switch format {
            case .raw: try RawDiskImage(path: path, readOnly: false, synchronizes: false)
            case .qcow2: try DiskImageChain.openAlone(path: path, readOnly: false)
            }
        defer { image.close() }
        try fill(image)
        if isDurable { try image.flush() }
    }
}
