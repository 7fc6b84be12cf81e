/// Files of the form of /etc/hosts.
enum HostsFile {
    /// Changes the lines of a file, which is made where it is absent. It is not written when its lines stay as they are.
    ///
    /// - Parameters:
    ///   - limit: in bytes; a larger file is no list of hosts, and an error.
    ///   - keeps: whether a line stays.
    ///   - further: the lines behind those that stay.
    @inline(never)
    static func change(
        _ path: [UInt8], limit: Int = 1 << 20, keeps: ([UInt8]) -> Bool, further: () -> [[UInt8]]
    ) throws(Errno) {
        let old = FileAccess.contents(path, limit: limit) ?? []
        guard old.count < limit else { throw Errno.notSupported }
        var lines = old.parts(separatedBy: 10)
        // Behind the last line's end.
        if lines.last?.isEmpty == true { lines.removeLast() }
        var bytes: [UInt8] = []
        func add(_ line: [UInt8]) {
            bytes.add(line)
            bytes.append(10)
        }
        for line in lines where keeps(line) { add(line) }
        for line in further() { add(line) }
        if bytes != old { try FileAccess.replace(path, with: bytes) }
    }
}
