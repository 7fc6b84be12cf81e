import Foundation
import GuestToolchain
import TestSupport
import Testing

/// Debian at work on a shared folder, on a socket to its host and on a network, moved from process to process.
@Suite(
    "Debian, saved and restored with its devices in use", .serialized,
    .enabled("needs a Debian mirror and the tools that build an image") { DebianImage.obstacle == nil },
    .enabled("this host has no network interface for passt") { HostRoutes.hasDefault })
struct SavedDevicesTests {
    /// Three workers, until there is a file `stop`: one that makes, renames and reads files and appends to one, and two that send numbered lines to
    /// servers which send them back. A connection that ends, or is silent for 2 s, is made anew.
    private static func load(port: UInt16) -> String {
        #"""
        cat >/tmp/talk.pl <<'END'
        use strict; use Socket; $SIG{PIPE} = "IGNORE";
        my ($kind, $port) = @ARGV;
        my ($lines, $wrong, $connections, $s) = (0, 0, 0);
        until (-e "/work/stop") {
            if (!$s) {
                my $to = $kind eq "vsock" ? pack("S S L L x4", 40, 0, $port, 2) : pack_sockaddr_in($port, inet_aton("10.0.2.2"));
                socket($s, $kind eq "vsock" ? 40 : AF_INET, SOCK_STREAM, 0) or die $!;
                setsockopt($s, SOL_SOCKET, SO_RCVTIMEO, pack("q q", 2, 0)) or die $!;
                if (!connect($s, $to)) { undef $s; select(undef, undef, undef, 0.1); next }
                $connections++;
            }
            my ($line, $answer) = ("$kind $lines " . "x" x 5000 . "\n", "");
            syswrite($s, $line);
            1 while length $answer < length $line && sysread($s, $answer, length($line) - length $answer, length $answer);
            $wrong++ if $answer ne substr($line, 0, length $answer);
            if (length $answer == length $line) { $lines++ } else { close $s; undef $s }
        }
        print "$kind wrong $wrong connections $connections\n";
        END
        stty -echo; mkdir -p /work; mount -t virtiofs share0 /work; cd /work
        files() {
            exec 5>>log; i=0
            until [ -e stop ]; do
                i=$((i + 1)); echo $i >&5
                seq $i $((i + 500)) >part; mv part file$((i % 10))
                [ "$(md5sum <file$((i % 10)))" = "$(seq $i $((i + 500)) | md5sum)" ] || echo "file $i differs"
            done
            echo "files $i"
        }
        files >/tmp/files & perl /tmp/talk.pl vsock 5000 >/tmp/vsock & perl /tmp/talk.pl tcp PORT >/tmp/tcp &
        read line; touch stop; wait; cat /tmp/files /tmp/vsock /tmp/tcp; echo === end

        """#.replacing("PORT", with: "\(port)")
    }

    /// Writes a machine's settings to a file.
    private func settings(
        _ directory: TemporaryDirectory, port: UInt16, share: String, sockets: String
    ) throws -> String {
        // A kernel's command line is too short for the load.
        let disk = try directory.file("load", Data(Self.load(port: port).utf8))
        #expect(truncate(disk, 8192) == 0)
        let script = "tr -d '\\0' </dev/vdb >load; . ./load"
        let command = Data(["bash", "-c", script].flatMap { Array($0.utf8) + [0] }).base64EncodedString()
        let object: [String: Any] = [
            "kernel": try DebianImage.file("kernel"), "initrd": try DebianImage.file("initrd"),
            "rootDisk": try DebianImage.file("root.raw"), "dataDisk": disk, "cpus": 2, "memory": 256,
            "engine": "translate", "share": share, "sockets": sockets, "usesNetwork": true,
            "commandLine": "console=ttyS0 quiet aerie.command=\(command)",
        ]
        return try directory.file("settings", try JSONSerialization.data(withJSONObject: object))
    }

    @Test("A shared folder, a socket and a network go on though the machine was killed and restored in between")
    func devices() throws {
        let directory = TemporaryDirectory()
        let (socketBytes, networkBytes) = (ByteCount(), ByteCount())
        let path = directory.path("vm.sock")
        let socket = try UnixServer("\(path)_5000") { connection in
            while case let part = connection.read(1 << 16), !part.isEmpty {
                connection.write(part[...])
                socketBytes.add(part.count)
            }
        }
        defer { socket.stop() }
        let network = try LoopbackServer { connection in
            var buffer = [UInt8](repeating: 0, count: 1 << 16)
            while case let count = recv(connection, &buffer, buffer.count, 0), count > 0,
                send(connection, buffer, count, Int32(MSG_NOSIGNAL)) == count
            { networkBytes.add(count) }
        }
        defer { network.stop() }
        let share = directory.url.appending(path: "share")
        try FileManager.default.createDirectory(at: share, withIntermediateDirectories: true)
        let settings = try settings(directory, port: network.port, share: share.path, sockets: path)
        func appended() -> Int { (try? Data(contentsOf: share.appending(path: "log")))?.count ?? 0 }

        var host = try MachineHost([settings], in: directory)
        var output = ""
        for move in 0..<3 {
            let before = (appended(), socketBytes.count, networkBytes.count)
            try #require(
                Patience.wait {
                    appended() > before.0 + 20 && socketBytes.count > before.1 + 100_000
                        && networkBytes.count > before.2 + 100_000 || !host.isRunning
                } && host.isRunning, "after move \(move): \(appended()) \(socketBytes.count) \(networkBytes.count)")
            guard move < 2 else { break }
            let saved = directory.path("saved\(move)")
            host.send("save \(saved)")
            try #require(host.nextAnswer() == "saved")
            host.kill()
            output += host.output
            host = try MachineHost([settings, saved], in: directory)
        }
        host.send("type end")
        #expect(host.nextAnswer() == "ended: poweredOff")
        output = String(decoding: (output + host.output).utf8.filter { $0 != 0x0D }, as: UTF8.self)
        // A restore resets the connections of sockets, and ends those of the network.
        #expect(output.contains("vsock wrong 0 connections 3\n"), "\(output)")
        #expect(output.contains("tcp wrong 0 connections 3\n"), "\(output)")
        #expect(!output.contains("differs"))
        // Each number was appended once, in the order.
        let numbers = try String(contentsOf: share.appending(path: "log"), encoding: .utf8).split(separator: "\n")
        #expect(numbers == (1...max(1, numbers.count)).map { "\($0)" })
        #expect(output.contains("files \(numbers.count)\n"))
    }
}
