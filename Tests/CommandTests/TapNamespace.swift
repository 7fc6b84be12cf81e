import GuestToolchain

/// A network namespace of a test, with a TAP interface `vm0` at 192.168.9.1 and a server at port 7000, which sends bytes to each client and then
/// takes what comes.
enum TapNamespace {
    /// Whether this user can make one.
    static var isPossible: Bool { (try? HostProgram.run("/usr/bin/unshare", ["--net", "true"]))?.status == 0 }

    /// Words before a command that runs in the namespace.
    ///
    /// - Parameters:
    ///   - count: bytes that the server sends, a multiple of 16.
    ///   - isMultiQueue: makes the interface with several queues.
    static func wrapper(serving count: Int, isMultiQueue: Bool = false) -> [String] {
        let script = """
            ip link set lo up; ip tuntap add vm0 mode tap\(isMultiQueue ? " multi_queue" : "")
            ip address add 192.168.9.1/24 dev vm0; ip link set vm0 up
            perl -MIO::Socket::INET -e '
                $s = IO::Socket::INET->new(LocalPort => 7000, Listen => 5, ReuseAddr => 1);
                while ($c = $s->accept) { print $c ("\(pattern)" x \(count / pattern.utf8.count)); shutdown $c, 1; 1 while read $c, $_, 65536; close $c }' &
            server=$!
            "$@"
            code=$?
            kill $server
            exit $code
            """
        return ["/usr/bin/unshare", "--net", "/bin/sh", "-c", script, "sh"]
    }

    /// What the server sends, again and again.
    static let pattern = "0123456789abcdef"

    /// The SHA-256 sum of so many bytes of the pattern, in hexadecimal digits.
    static func digest(of count: Int) throws -> Substring {
        let result = try HostProgram.run(
            "/bin/sh", ["-c", "yes \(pattern) | tr -d '\\n' | head -c \(count) | sha256sum"])
        return String(decoding: result.output, as: UTF8.self).prefix(64)
    }
}
