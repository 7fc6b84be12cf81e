import ControlAPI
import Foundation
import TestSupport
import Testing

/// `aerie migrate` with Debian, whose devices work meanwhile.
@Suite(
    "Migration of Debian", .serialized,
    .enabled("needs a Debian mirror and the tools that build an image") { DebianImage.obstacle == nil })
struct MigratedDebianTests: MigrationSuite {
    let aerie: AerieProcess
    let echo = ""
    /// Directories with the image.
    private let data: [String: String]

    init() throws {
        aerie = try AerieProcess()
        data = DebianImage.environment.filter { $0.key == "XDG_DATA_HOME" }
    }

    /// Writes a file in each round, and reads it from the disk again, until there is a file `/stop`. Its rounds, and the sums that differ, are lines of
    /// files, because the console's log stays where it was written.
    private static let load = """
        i=0
        until [ -e /stop ]; do
            i=$((i + 1)); file=/var/tmp/$((i % 4))
            seq $i $((i + 20000)) >$file; sync; echo 3 >/proc/sys/vm/drop_caches
            [ "$(md5sum <$file)" = "$(seq $i $((i + 20000)) | md5sum)" ] || echo $i >>/wrong
            echo $i >>/rounds
        done
        cat /proc/interrupts
        cat /wrong 2>/dev/null
        echo "rounds $(wc -l </rounds) of $i"

        """

    @Test("Its disk goes on without an error while the machine moves there and back", arguments: ["aia", "aplic"])
    func disk(interrupts: String) throws {
        let (here, there) = (data, data.merging(self.there) { $1 })
        let started = try aerie.run(
            ["run", "--detach", "--name", "one", "--interrupts", interrupts, "--transport", "pci", "--cpus", "2"]
                + ["--memory", "256M", "--network", "none", "debian", "--", "sh", "-c", Self.load], environment: here)
        try #require(started.code == 0, "\(started.error)")
        defer { removeEverywhere("one") }
        func rounds(_ environment: [String: String]) throws -> Int {
            let result = try aerie.run(["exec", "one", "sh", "-c", "wc -l </rounds"], environment: environment)
            return Int(result.output.split(whereSeparator: \.isWhitespace).first ?? "") ?? 0
        }
        var done = 0
        func awaitProgress(_ environment: [String: String]) throws {
            let isThere = try Patience.wait {
                usleep(100_000)
                return try rounds(environment) > done + 2
            }
            let log = try aerie.run(["logs", "one"], environment: environment).output
            try #require(isThere, "\(log)")
            done = try rounds(environment)
        }
        try awaitProgress(here)
        for (from, to) in [(here, there), (there, here), (here, there)] {
            let receiver = try receiver(at: nil, to)
            let sent = try aerie.run(["migrate", "one", address], environment: from)
            #expect(sent.code == 0, "\(sent.error)")
            #expect(receiver.end() == 0, "\(receiver.error)")
            try awaitProgress(to)
        }
        #expect(try aerie.run(["exec", "one", "touch", "/stop"], environment: there).code == 0)
        #expect(try aerie.run(["wait", "one"], environment: there).output == "0\n")
        let log = try aerie.run(["logs", "one"], environment: there).output.replacing("\r", with: "")
        let lines = log.split(separator: "\n")
        let last = try #require(lines.last { $0.hasPrefix("rounds ") }, "\(log)").split(separator: " ")
        #expect(last.count == 4 && last[1] == last[3] && Int(last[1]) ?? 0 >= done, "\(log)")
        let interrupts = interrupts == "aia" ? "PCI-MSIX-" : "APLIC-DIRECT"
        #expect(lines.contains { $0.contains(interrupts) && $0.contains("virtio0") }, "\(log)")
        #expect(!lines.contains { Int($0) != nil }, "\(log)")
    }
}
