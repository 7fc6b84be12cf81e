import Support

/// The guest's network interfaces.
enum Network {
    private static let inet = 2
    private static let inet6 = 10

    /// `INTERFACE ADDRESS/PREFIX` of each address but the loopback's, in the kernel's order.
    static func addresses() -> [[UInt8]] {
        // AF_NETLINK
        guard let socket = try? Descriptor(system(SystemCall.socket, 16, 3 | OpenFlags.closeOnExec, 0))
        else { return [] }
        // nlmsghdr: u32 length, u16 type, u16 flags, u32 sequence, u32 port; then ifaddrmsg: u8 family and zeros.
        var request: [UInt8] = []
        request.appendInteger(UInt32(24))
        request.appendInteger(UInt16(22))  // RTM_GETADDR
        request.appendInteger(UInt16(0x301))  // request, dump
        request.appendInteger(UInt32(1))
        request.appendInteger(UInt32(0))
        request.append(contentsOf: [0, 0, 0, 0, 0, 0, 0, 0])
        let sent = request.withUnsafeBytes { socket.write($0.baseAddress.unsafelyUnwrapped, request.count) }
        guard sent == request.count else { return [] }
        var found: [[UInt8]] = []
        while true {
            var count = 0
            let answer = [UInt8](unsafeUninitializedCapacity: 32_768) { buffer, used in
                count = socket.read(UnsafeMutableRawPointer(buffer.baseAddress.unsafelyUnwrapped), 32_768)
                used = max(count, 0)
            }
            guard count > 0, takeAddresses(from: answer, into: &found) else { return found }
        }
    }

    /// Reads the messages of one answer; false at the last one.
    private static func takeAddresses(from answer: [UInt8], into found: inout [[UInt8]]) -> Bool {
        var position = 0
        while answer.count - position >= 16 {
            let length = Int(answer.integer(at: position, as: UInt32.self) ?? 0)
            guard length >= 16, length <= answer.count - position else { return false }
            let type: UInt16 = answer.integer(at: position + 4) ?? 0
            // NLMSG_ERROR and NLMSG_DONE.
            if type == 2 || type == 3 { return false }
            if type == 20, length >= 24, found.count < GuestInformation.mostAddresses {
                if let text = address(Array(answer[(position + 16)..<(position + length)])) { found.append(text) }
            }
            position += (length + 3) & ~3
        }
        return true
    }

    /// ifaddrmsg: u8 family, u8 prefix, u8 flags, u8 scope, u32 index; then attributes: u16 length, u16 type, bytes.
    private static func address(_ message: [UInt8]) -> [UInt8]? {
        let family = Int(message[0])
        // host scope
        guard let index: UInt32 = message.integer(at: 4), message[3] != 254 else { return nil }
        var local: [UInt8]?
        var peer: [UInt8]?
        var position = 8
        while message.count - position >= 4 {
            let length = Int(message.integer(at: position, as: UInt16.self) ?? 0)
            guard length >= 4, length <= message.count - position else { break }
            let value = Array(message[(position + 4)..<(position + length)])
            switch message.integer(at: position + 2, as: UInt16.self) {
            case 1: peer = value
            case 2: local = value
            default: break
            }
            position += (length + 3) & ~3
        }
        guard let bytes = local ?? peer, bytes.count == (family == inet ? 4 : 16), let name = name(of: index) else {
            return nil
        }
        var text = name
        text.append(32)
        text.add(family == inet ? AddressText.v4(bytes) : AddressText.v6(bytes))
        text.append(UInt8(ascii: "/"))
        text.add(number: UInt64(message[1]))
        return text
    }

    private static func name(of index: UInt32) -> [UInt8]? {
        var request = InterfaceRequest()
        request.set((0..<4).map { UInt8(truncatingIfNeeded: index >> UInt32(8 * $0)) }, at: 0)
        do throws(Errno) {
            try request.send(.name, try InterfaceRequest.socket())
        } catch { return nil }
        return request.name
    }

    static func bringUpLoopback() {
        guard let socket = try? InterfaceRequest.socket() else { return }
        try? InterfaceRequest.bringUp([UInt8]("lo"), socket)
    }
}
