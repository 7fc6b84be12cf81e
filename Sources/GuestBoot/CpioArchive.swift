/// Writes the archive that the kernel unpacks as its first root file system: cpio in the "new ASCII" format
/// (Documentation/driver-api/early-userspace/buffer-format.rst).
///
/// Each member is a header of 110 hexadecimal characters, its name with a zero byte, padding to 4 bytes, its data, and
/// padding to 4 bytes. Everything belongs to root and has no time, so that equal input gives equal bytes.
package struct CpioArchive {
    private var bytes: [UInt8] = []
    private var members: UInt32 = 0

    package init() {}

    package mutating func addDirectory(_ path: String) { add(path, mode: 0o040755, data: []) }

    package mutating func addFile(_ path: String, mode: UInt32 = 0o644, _ data: [UInt8]) {
        add(path, mode: 0o100000 | mode, data: data)
    }

    package mutating func addLink(_ path: String, to target: String) {
        add(path, mode: 0o120777, data: Array(target.utf8))
    }

    package mutating func addCharacterDevice(_ path: String, mode: UInt32, major: UInt32, minor: UInt32) {
        add(path, mode: 0o020000 | mode, data: [], device: (major, minor))
    }

    /// The whole archive, with its final member.
    package consuming func finished() -> [UInt8] {
        add("TRAILER!!!", mode: 0, data: [])
        return bytes
    }

    private mutating func add(_ path: String, mode: UInt32, data: [UInt8], device: (UInt32, UInt32) = (0, 0)) {
        precondition(data.count <= Int(UInt32.max), "a member's size has 32 bits")
        members += 1
        let name = Array(path.utf8) + [0]
        // inode, mode, uid, gid, links, mtime, size, device of the file, device of a node, name's size, unused sum
        let fields = [
            members, mode, 0, 0, 1, 0, UInt32(data.count), 0, 0, device.0, device.1, UInt32(name.count), 0,
        ]
        bytes += Array("070701".utf8)
        for field in fields {
            let digits = String(field, radix: 16)
            bytes += Array(repeating: UInt8(ascii: "0"), count: 8 - digits.utf8.count) + Array(digits.utf8)
        }
        bytes += name
        pad()
        bytes += data
        pad()
    }

    private mutating func pad() {
        while bytes.count % 4 != 0 { bytes.append(0) }
    }
}
