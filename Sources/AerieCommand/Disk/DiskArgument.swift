internal import Aerie
internal import DiskImages

/// An image as it is named on the command line: FILE[,format=raw|qcow2].
struct DiskArgument {
    let path: String
    /// Nil when none is given.
    let format: DiskImageFormat?

    init(_ text: String) throws(AerieError) {
        let disk: Disk
        do throws(AerieError) {
            disk = try Disk(option: text)
        } catch {
            throw AerieError(
                error.category, asked: text, found: error.found, advice: "after the file, use format=raw|qcow2")
        }
        guard disk == Disk(path: disk.path, format: disk.format), !disk.path.isEmpty else {
            throw AerieError(
                .usage, asked: text, found: disk.path.isEmpty ? "no file is named" : "a setting of a guest's disk",
                advice: "use FILE[,format=raw|qcow2]")
        }
        path = disk.path
        format = disk.format.map { $0 == .raw ? .raw : .qcow2 }
    }

    /// The format of a file that is made.
    var newFormat: DiskImageFormat { format ?? (path.hasSuffix(".qcow2") ? .qcow2 : .raw) }

    /// Opens what is there, to read it.
    func open() throws(DiskImageError) -> any DiskImage {
        try DiskImageChain.open(path: path, format: format, readOnly: true)
    }

    /// A size in bytes for a disk.
    static func size(_ text: String) throws(AerieError) -> UInt64 {
        guard let size = ByteSize(text) else {
            throw AerieError(
                .usage, asked: "a disk of \(text)", found: "'\(text)' is not a valid size",
                advice: "use a whole number with K, M or G, such as 8G")
        }
        guard size.bytes % sectorSize == 0 else {
            throw AerieError(
                .usage, asked: "a disk of \(text)", found: "a disk has whole sectors of 512 bytes",
                advice: "choose a multiple of 512")
        }
        return size.bytes
    }

    static func clusterSize(_ text: String) throws(AerieError) -> UInt64 {
        guard let size = ByteSize(text)?.bytes, Qcow2Creation.clusterSizes.contains(size), size.nonzeroBitCount == 1
        else {
            throw AerieError(
                .usage, asked: "--cluster-size \(text)", found: "clusters have 512 bytes to 2M, a power of two",
                advice: "choose a size in this range")
        }
        return size
    }
}
