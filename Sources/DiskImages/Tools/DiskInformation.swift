internal import HostSystem

/// What a disk image's file says about itself.
package struct DiskInformation: Equatable, Sendable {
    package struct Qcow2: Equatable, Sendable {
        package let version: Int
        package let clusterSize: UInt64
        package let refcountBits: Int
        /// zlib or zstd.
        package let compression: String
        package let snapshotCount: Int
        package let hasLazyRefcounts: Bool
        package let isDirty: Bool
        package let isCorrupt: Bool
        /// As they stand in the image; nil without a backing file.
        package let backingFile: String?
        package let backingFormat: String?
    }

    package let path: String
    package let format: DiskImageFormat
    /// The size of the disk in bytes.
    package let size: UInt64
    /// The bytes that the file occupies on the host.
    package let allocatedSize: UInt64
    package let qcow2: Qcow2?

    /// Examines a file.
    ///
    /// - Parameter format: nil for the one by which the file begins: nothing is done with the contents here.
    package init(path: String, format: DiskImageFormat?) throws(DiskImageError) {
        let format = if let format { format } else { try DiskImageFormat.apparent(path: path) }
        self.path = path
        self.format = format
        switch format {
        case .raw:
            let image = try RawDiskImage(path: path, readOnly: true)
            size = image.size
            allocatedSize = try Self.allocated(image.file)
            qcow2 = nil
        case .qcow2:
            let file = try Qcow2File(path: path, readOnly: true)
            let header = try file.header()
            size = header.size
            allocatedSize = try Self.allocated(file.descriptor)
            qcow2 = Qcow2(header)
        }
    }

    /// The image at `path` and those that it is based on, the lowest last.
    package static func chain(path: String, format: DiskImageFormat?) throws(DiskImageError) -> [DiskInformation] {
        var result = [try DiskInformation(path: path, format: format)]
        while let last = result.last, let place = try last.backingPlace() {
            guard result.count < DiskImageChain.longest else { break }
            result.append(try DiskInformation(path: place.path, format: place.format))
        }
        return result
    }

    private func backingPlace() throws(DiskImageError) -> (path: String, format: DiskImageFormat)? {
        guard let qcow2, let name = qcow2.backingFile else { return nil }
        return try Qcow2Header.Backing(name: name, format: qcow2.backingFormat).place(from: path)
    }

    private static func allocated(_ file: borrowing FileDescriptor) throws(DiskImageError) -> UInt64 {
        do { return try file.allocatedSize() } catch { throw .system(error) }
    }
}

extension DiskInformation.Qcow2 {
    fileprivate init(_ header: Qcow2Header) {
        version = header.version
        clusterSize = header.geometry.clusterSize
        refcountBits = 1 << header.geometry.refcountOrder
        compression = header.compression == .zlib ? "zlib" : "zstd"
        snapshotCount = header.snapshotCount
        hasLazyRefcounts = header.features.compatible & Qcow2Features.lazyRefcounts != 0
        isDirty = header.features.isDirty
        isCorrupt = header.features.isCorrupt
        backingFile = header.backing?.name
        backingFormat = header.backing?.format
    }
}
