import Foundation

/// An initial RAM disk with one program: a cpio archive in the "newc" format.
enum InitialRAMDisk {
    static func archive(initProgram: Data) -> Data {
        var result = Data()
        append(&result, name: "init", mode: 0o100755, content: initProgram)
        append(&result, name: "TRAILER!!!", mode: 0, content: Data())
        return result
    }

    /// A header of fourteen numbers of eight hexadecimal digits; name and content are padded to four bytes.
    private static func append(_ archive: inout Data, name: String, mode: Int, content: Data) {
        let fields = [1, mode, 0, 0, 1, 0, content.count, 0, 0, 0, 0, name.utf8.count + 1, 0]
        archive.append(contentsOf: "070701".utf8)
        for field in fields { archive.append(contentsOf: String(format: "%08x", field).utf8) }
        archive.append(contentsOf: name.utf8)
        archive.append(0)
        pad(&archive)
        archive.append(content)
        pad(&archive)
    }

    private static func pad(_ archive: inout Data) {
        while archive.count % 4 != 0 { archive.append(0) }
    }
}
