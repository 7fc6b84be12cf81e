internal import CFileSystem
internal import Glibc
internal import HostSystem

/// A descriptor that several requests may use at the same time; it is closed when the last of them is done.
final class OpenFile: Sendable {
    private let descriptor: FileDescriptor

    init(owning number: Int32) { descriptor = FileDescriptor(owning: number) }

    var number: Int32 { descriptor.rawValue }

    /// Opens an entry as a place (O_PATH), whatever it is.
    static func place(_ name: FileName, in directory: OpenFile, cachedOnly: Bool) throws(FileError) -> OpenFile {
        OpenFile(owning: try host { aerie_fs_open_node(directory.number, name.text, cachedOnly ? 1 : 0) })
    }

    static func root(_ path: String) throws(FileError) -> OpenFile {
        OpenFile(owning: try host { aerie_fs_open_root(path) })
    }

    /// The directory of this process's descriptors.
    static func descriptors() throws(FileError) -> OpenFile {
        OpenFile(owning: try host { aerie_fs_open_descriptors() })
    }

    /// Opens this directory for reading its entries.
    func openDirectory() throws(FileError) -> OpenFile {
        OpenFile(owning: try host { aerie_fs_open_directory(number) })
    }
}
