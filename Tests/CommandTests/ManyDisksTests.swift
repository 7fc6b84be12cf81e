import Foundation
import GuestToolchain
import Testing

@Suite(
    "Many disks", .enabled("needs a Debian mirror and the tools that build an image") { DebianImage.obstacle == nil })
struct ManyDisksTests {
    @Test(
        "A Debian guest finds 32 disks on PCI under their names in their order, the root disk first, and uses all of them"
    )
    func all() throws {
        let directory = TemporaryDirectory()
        var options: [String] = []
        for number in 1...31 {
            let path = try directory.file("disk\(number)", Data("contents of \(number)\n".utf8))
            #expect(truncate(path, 1 << 20) == 0)
            let settings =
                [1: ",cache=none", 2: ",rate=100M,rate=10000iops", 31: ",cache=none,rate=100M"][number] ?? ""
            options += ["--disk", "\(path),serial=disk-\(number)\(settings)"]
        }
        let questions = """
            for disk in $(ls /sys/block | grep vd | awk '{print length, $0}' | sort -n | cut -d' ' -f2); do
                printf '%s [%s] %s\\n' $disk "$(cat /sys/block/$disk/serial)" "$(head -n 1 /dev/$disk | head -c 20 | tr -cd '0-9a-z ')"
                test $disk = vda || echo from the guest | dd of=/dev/$disk bs=512 seek=2047 conv=sync,fsync status=none
            done
            mount | grep ' on / '
            """
        let result = try DebianImage.run(
            ["run", "debian", "--transport", "pci", "--network", "none"] + options + ["--", "sh", "-c", questions])
        #expect(result.code == 0, "\(result.error)")
        let lines = result.output.split(whereSeparator: \.isNewline).map(String.init)
        let letters = "abcdefghijklmnopqrstuvwxyz".map(String.init)
        let names = (letters + letters.map { "a" + $0 }).prefix(32).map { "vd" + $0 }
        #expect(lines.filter { $0.hasPrefix("vda [") }.count == 1)
        for number in 1...31 {
            #expect(lines.contains("\(names[number]) [disk-\(number)] contents of \(number)"), "\(result.output)")
            let written = try Data(contentsOf: URL(filePath: directory.path("disk\(number)")))
            #expect(written.count == 1 << 20)
            #expect(written.suffix(512).starts(with: Data("from the guest\n".utf8)))
        }
        #expect(lines.contains { $0.hasPrefix("/dev/vda on / ") }, "\(result.output)")
    }
}
