import Support

/// A request about a network interface (`struct ifreq`, netdevice(7)): 16 bytes of name, and 24 bytes that depend on the call.
struct InterfaceRequest {
    enum Call: Int {
        /// SIOCGIFNAME, by the interface's index.
        case name = 0x8910
        /// SIOCGIFFLAGS and SIOCSIFFLAGS.
        case flags = 0x8913
        case setFlags = 0x8914
        /// SIOCSIFADDR and SIOCSIFNETMASK.
        case setAddress = 0x8916
        case setMask = 0x891C
        /// SIOCSIFHWADDR.
        case setHardwareAddress = 0x8924
    }

    private static let valueOffset = 16
    private static let size = 40

    private var bytes = [UInt8](repeating: 0, count: size)

    init(_ name: [UInt8] = []) {
        for (index, byte) in name.prefix(15).enumerated() { bytes[index] = byte }
    }

    /// A byte behind the name.
    subscript(offset: Int) -> UInt8 {
        get { bytes[Self.valueOffset + offset] }
        set { bytes[Self.valueOffset + offset] = newValue }
    }

    /// Sets bytes behind the name.
    mutating func set(_ value: [UInt8], at offset: Int) {
        for (index, byte) in value.enumerated() { self[offset + index] = byte }
    }

    var name: [UInt8] { Array(bytes[..<(bytes.prefix(Self.valueOffset).firstIndex(of: 0) ?? Self.valueOffset)]) }

    /// A socket for calls.
    static func socket() throws(Errno) -> Descriptor {
        // AF_INET, SOCK_DGRAM.
        try Descriptor(system(SystemCall.socket, 2, 2 | OpenFlags.closeOnExec, 0))
    }

    mutating func send(_ call: Call, _ socket: borrowing Descriptor) throws(Errno) {
        let number = Int(socket.number)
        try checked(
            bytes.withUnsafeMutableBytes {
                system(SystemCall.ioctl, number, call.rawValue, Int(bitPattern: $0.baseAddress))
            })
    }

    /// Gives an interface an IPv4 address; both are 4 bytes.
    static func setAddress(
        _ address: [UInt8], mask: [UInt8], of name: [UInt8], _ socket: borrowing Descriptor
    ) throws(Errno) {
        try set(address, of: name, socket, .setAddress)
        try set(mask, of: name, socket, .setMask)
    }

    /// The value is a sockaddr_in: u16 family (AF_INET), u16 port, 4 bytes of address.
    private static func set(
        _ address: [UInt8], of name: [UInt8], _ socket: borrowing Descriptor, _ call: Call
    ) throws(Errno) {
        var request = InterfaceRequest(name)
        request[0] = 2
        request.set(Array(address.prefix(4)), at: 4)
        try request.send(call, socket)
    }

    /// Brings an interface up.
    static func bringUp(_ name: [UInt8], _ socket: borrowing Descriptor) throws(Errno) {
        var request = InterfaceRequest(name)
        try request.send(.flags, socket)
        // IFF_UP.
        guard request[0] & 1 == 0 else { return }
        request[0] |= 1
        try request.send(.setFlags, socket)
    }
}
