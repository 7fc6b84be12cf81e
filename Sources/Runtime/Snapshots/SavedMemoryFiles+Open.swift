internal import Aerie
internal import Glibc
internal import HostSystem

extension SavedMemoryFiles {
    /// Opens the files of a saved memory for reading. They stay open until `close`.
    ///
    /// - Parameters:
    ///   - paths: of the memory's files, in the order of their numbers; at least one.
    ///   - map: the path of the map; nil for all of the memory in one file.
    ///   - flags: further ones of open(2).
    init(opening paths: [String], map: String?, flags: Int32 = 0) throws(SystemError) {
        self.init(memory: try Self.open(paths[0], flags))
        do throws(SystemError) {
            if let map { self.map = try Self.open(map, flags) }
            for path in paths.dropFirst() { others.append(try Self.open(path, flags)) }
        } catch {
            close()
            throw error
        }
    }

    private static func open(_ path: String, _ flags: Int32) throws(SystemError) -> Int32 {
        try FileDescriptor(path: path, flags: O_RDONLY | flags).release()
    }

    func close() {
        for descriptor in descriptors { Glibc.close(descriptor) }
    }
}
