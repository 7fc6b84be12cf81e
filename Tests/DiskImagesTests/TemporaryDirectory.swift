import Glibc

/// A directory that a test uses and that goes away with it.
final class TemporaryDirectory {
    let path: String

    init() {
        var template = Array("/tmp/aerie-disk-XXXXXX".utf8CString)
        path = String(cString: mkdtemp(&template)!)
    }

    deinit {
        for name in files() { unlink(path + "/" + name) }
        rmdir(path)
    }

    func files() -> [String] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names
    }

    /// Writes a file and returns its path.
    func file(_ name: String, _ bytes: [UInt8]) -> String {
        let result = path + "/" + name
        let descriptor = open(result, O_CREAT | O_TRUNC | O_WRONLY, 0o600)
        precondition(descriptor >= 0 && write(descriptor, bytes, bytes.count) == bytes.count)
        close(descriptor)
        return result
    }

    func contents(_ path: String) -> [UInt8] {
        let descriptor = open(path, O_RDONLY)
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: Int(lseek(descriptor, 0, SEEK_END)))
        precondition(pread(descriptor, &bytes, bytes.count, 0) == bytes.count)
        return bytes
    }
}
