import GuestToolchain
import Foundation
import TestSupport
import Testing

/// Debian under a load of processes, file system and disk, moved from process to process while it works.
@Suite(
    "Debian, saved and restored under load", .serialized,
    .enabled("needs a Debian mirror and the tools that build an image") { DebianImage.obstacle == nil })
struct SavedLinuxTests {
    /// Each worker makes files, reads them back from the disk, and writes and reads its part of a raw disk, again and again
    /// until a line is read; each round begins without the files of the last one, and reads 41 blocks, which each file fills, so that its
    /// sums are the same. The load runs on the host as well, which says what is right, and there it is over after the first time.
    private static let load = """
        once() {
            rm -f $1.?
            for i in 1 2 3; do
                seq $1$i 30000 >$1.$i
                cat $1.? >$1-all
                sync
                [ "$2" ] && echo 3 >/proc/sys/vm/drop_caches
                sha256sum <$1-all
                dd if=$1-all of=$disk bs=4096 seek=$((2048 * $1)) conv=notrunc,fsync 2>/dev/null
                [ "$2" ] && echo 3 >/proc/sys/vm/drop_caches
                dd if=$disk bs=4096 skip=$((2048 * $1)) count=41 2>/dev/null | sha256sum
            done
        }
        work() {
            once $1 $2 >$1-sums
            until [ -e stop ]; do
                once $1 $2 >$1-again
                cmp $1-sums $1-again || echo different >>$1-sums
            done
        }
        rm -f stop
        [ "$guest" ] && stty -echo || touch stop
        echo === begin
        for w in 1 2 3 4; do work $w $guest & done
        [ "$guest" ] && read line && touch stop
        wait
        cat ?-sums
        echo === end

        """

    private static let diskSize = 64 << 20

    /// What the load prints between its marks.
    private func sums(_ output: String) -> String? {
        // The guest's terminal ends its lines with both.
        let text = String(decoding: output.utf8.filter { $0 != 0x0d }, as: UTF8.self)
        guard let begin = text.range(of: "=== begin\n"), let end = text.range(of: "=== end\n") else { return nil }
        return String(text[begin.upperBound..<end.lowerBound])
    }

    private func expectedSums() throws -> String? {
        let directory = TemporaryDirectory()
        let disk = try directory.file("disk", Data())
        #expect(truncate(disk, Self.diskSize) == 0)
        try FileManager.default.createDirectory(
            at: directory.url.appending(path: "work"), withIntermediateDirectories: true)
        let output = Pipe()
        // dash would wait for a SIGCHLD that the threads of a test block.
        let program = try ChildProgram(
            "/bin/bash", ["-c", "disk=\(disk) guest=\ncd work\n" + Self.load], directory: directory.path,
            output: output.fileHandleForWriting.fileDescriptor)
        try output.fileHandleForWriting.close()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        try program.awaitEnd()
        return sums(String(decoding: data, as: UTF8.self))
    }

    @Test("The load ends with the right sums though the machine was killed and restored in between", arguments: [1, 4])
    func movesUnderLoad(harts: Int) throws {
        let expected = try #require(try expectedSums())
        #expect(expected.split(separator: "\n").count == 24)
        let directory = TemporaryDirectory()
        // The load lies at the start of the disk, before the workers' parts: the kernel's command line has no room for it.
        let disk = try directory.file("data", Data(("disk=/dev/vdb guest=1\n" + Self.load).utf8))
        #expect(truncate(disk, Self.diskSize) == 0)
        let script = "head -c 4096 /dev/vdb | tr -d '\\0' >load; . ./load"
        let command = Data(["sh", "-c", script].flatMap { Array($0.utf8) + [0] }).base64EncodedString()
        // The engine is no part of what is saved: the machine changes it with every move.
        let settings = try ["interpret", "translate"].map { engine in
            let object: [String: Any] = [
                "kernel": try DebianImage.file("kernel"), "initrd": try DebianImage.file("initrd"),
                "rootDisk": try DebianImage.file("root.raw"), "dataDisk": disk, "cpus": harts, "memory": 256,
                "engine": engine, "commandLine": "console=ttyS0 quiet aerie.command=\(command)",
            ]
            return try directory.file(engine, try JSONSerialization.data(withJSONObject: object))
        }

        var random = SystemRandomNumberGenerator()
        var output = ""
        var host = try MachineHost([settings[1]], in: directory)
        try #require(Patience.wait { host.output.contains("=== begin") || !host.isRunning } && host.isRunning)
        for move in 0..<6 {
            usleep(UInt32.random(in: 0..<2_500_000, using: &random))
            let saved = directory.url.appending(path: "saved\(move)").path
            host.send("save \(saved)")
            try #require(host.nextAnswer() == "saved")
            host.kill()
            output += host.output
            host = try MachineHost([settings[move % 2], saved], in: directory)
            if move > 0 { unlink(directory.url.appending(path: "saved\(move - 1)").path) }
        }
        host.send("type end")
        #expect(host.nextAnswer() == "ended: poweredOff")
        output += host.output
        #expect(sums(output) == expected, "\(output.suffix(2000))")
    }
}
