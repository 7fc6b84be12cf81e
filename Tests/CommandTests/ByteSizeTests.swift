import Aerie
import Testing

@Suite("Sizes")
struct ByteSizeTests {
    @Test(
        "A whole number with K, M, G or nothing behind it is a size",
        arguments: [
            ("1", 1 as UInt64), ("4096", 4096), ("1K", 1024), ("64k", 65536), ("512M", 512 << 20), ("2g", 2 << 30),
            ("0512M", 512 << 20), ("9223372036854775807", 9_223_372_036_854_775_807),
            ("8589934591G", 8_589_934_591 << 30),
        ])
    func sizes(text: String, bytes: UInt64) {
        #expect(ByteSize(text)?.bytes == bytes)
    }

    @Test(
        "Everything else is none",
        arguments: [
            "", "0", "0M", "-1", "-512M", "+1", "1.5G", "1,5G", "M", "G", "KM", "12KM", "1T", "1B", "1KB", "1KiB", " 1",
            "1 ",
            "1 M", "0x10", "1e9", "ten", "٣", "512Ｍ", "9223372036854775808", "8589934592G", "99999999999999999999999G",
        ])
    func others(text: String) {
        #expect(ByteSize(text) == nil)
    }

    @Test("A size is written in its largest whole unit")
    func descriptions() {
        #expect(
            ["1", "1023", "1K", "1536K", "512M", "3G"].map { ByteSize($0)!.description } == [
                "1", "1023", "1K", "1536K", "512M", "3G",
            ])
        #expect(ByteSize("4194304K")!.description == "4G")
    }
}

@Suite("Disks as they are typed")
struct DiskOptionTests {
    @Test("A file alone is a raw disk that is written to")
    func file() throws {
        #expect(try Disk(option: "/a/b.img") == Disk(path: "/a/b.img"))
    }

    @Test("Settings follow the file in any order")
    func settings() throws {
        let expected = Disk(path: "d", format: .raw, access: .readOnly, serial: "S1=x")
        #expect(try Disk(option: "d,serial=S1=x,readonly,format=raw") == expected)
    }

    @Test("A comma in the file's name is written twice")
    func comma() throws {
        #expect(try Disk(option: "a,,b,readonly") == Disk(path: "a,b", access: .readOnly))
    }

    @Test(
        "Unknown settings are errors that name them",
        arguments: ["d,x", "d,format=qcow3", "d,readonly=1", "d,serial", "d,"])
    func unknown(text: String) {
        let error = #expect(throws: AerieError.self) { try Disk(option: text) }
        #expect(error?.category == .usage)
        #expect(error?.asked == "--disk \(text)")
    }
}
