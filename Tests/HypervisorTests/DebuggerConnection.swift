import CSockets
import Foundation
import GuestToolchain

/// A connection to QEMU's server for gdb (GDB manual, "Remote Serial Protocol"), which stops the machine, reads and writes its memory by physical
/// addresses, and lets it go on.
final class DebuggerConnection {
    private let socket: Int32

    /// - Parameter path: of QEMU's socket.
    init(_ path: String) throws {
        socket = aerie_stream_connect(path)
        guard socket >= 0 else {
            throw HostProgram.Failure(description: "\(path): \(String(cString: strerror(errno)))")
        }
        _ = fcntl(socket, F_SETFL, fcntl(socket, F_GETFL) & ~O_NONBLOCK)
        guard try command("Qqemu.PhyMemMode:1") == "OK" else {
            throw HostProgram.Failure(description: "QEMU has no physical addresses for gdb")
        }
    }

    deinit { close(socket) }

    func read(_ address: UInt64, _ count: Int) throws -> [UInt8] {
        let digits = Array(try command("m\(String(address, radix: 16)),\(String(count, radix: 16))").utf8)
        return stride(from: 0, to: digits.count - 1, by: 2).compactMap { place in
            UInt8(String(decoding: digits[place..<place + 2], as: UTF8.self), radix: 16)
        }
    }

    func write(_ address: UInt64, _ byte: UInt8) throws {
        let digits = String(byte, radix: 16)
        let answer = try command("M\(String(address, radix: 16)),1:\(digits.count == 1 ? "0" : "")\(digits)")
        guard answer == "OK" else { throw HostProgram.Failure(description: "gdb cannot write: \(answer)") }
    }

    /// Lets the machine go on.
    func detach() throws { _ = try command("D") }

    private func command(_ text: String) throws -> String {
        let sum = text.utf8.reduce(0) { ($0 + Int($1)) % 256 }
        let packet = Array("$\(text)#\(sum < 16 ? "0" : "")\(String(sum, radix: 16))".utf8)
        guard send(socket, packet, packet.count, Int32(MSG_NOSIGNAL)) == packet.count else {
            throw HostProgram.Failure(description: "QEMU does not listen to gdb")
        }
        // The machine's stop is announced when it comes.
        while true {
            let answer = try packetText()
            if !answer.hasPrefix("T") { return answer }
        }
    }

    private func packetText() throws -> String {
        while try byte() != UInt8(ascii: "$") {}
        var text: [UInt8] = []
        while case let next = try byte(), next != UInt8(ascii: "#") { text.append(next) }
        _ = (try byte(), try byte())
        let acknowledgement = [UInt8(ascii: "+")]
        _ = send(socket, acknowledgement, 1, Int32(MSG_NOSIGNAL))
        return String(decoding: text, as: UTF8.self)
    }

    private func byte() throws -> UInt8 {
        var byte: UInt8 = 0
        guard recv(socket, &byte, 1, 0) == 1 else { throw HostProgram.Failure(description: "QEMU has ended") }
        return byte
    }
}
