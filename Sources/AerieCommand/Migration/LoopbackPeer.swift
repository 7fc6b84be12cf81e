internal import CSockets
internal import Foundation
internal import Glibc

/// The other end of a TCP connection over this host's loopback interface.
enum LoopbackPeer {
    /// Whether the same user as this process, or root, has the other end: the kernel's table of sockets says whose it is (proc(5)).
    static func isOfThisUser(_ descriptor: Int32) -> Bool {
        var (own, peer): (UInt16, UInt16) = (0, 0)
        guard aerie_loopback_ports(descriptor, &own, &peer) == 0,
            let file = FileHandle(forReadingAtPath: "/proc/self/net/tcp"), let data = try? file.readToEnd()
        else { return false }
        return user(in: String(decoding: data, as: UTF8.self), local: peer, remote: own).map {
            $0 == getuid() || $0 == 0
        }
            ?? false
    }

    /// The user of the socket of a connection between two ports of 127.0.0.1; nil when the table has none.
    static func user(in table: String, local: UInt16, remote: UInt16) -> UInt32? {
        let loopback = "0100007F"
        func end(_ port: UInt16) -> String {
            let digits = String(port, radix: 16, uppercase: true)
            return "\(loopback):" + String(repeating: "0", count: 4 - digits.count) + digits
        }
        for line in table.split(separator: "\n").dropFirst() {
            // sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid …
            let fields = line.split(separator: " ")
            guard fields.count > 7, fields[1] == end(local), fields[2] == end(remote) else { continue }
            return UInt32(fields[7])
        }
        return nil
    }
}
