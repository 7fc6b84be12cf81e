internal import CLinux
package import HostSystem

/// An open TAP interface, which a process that cannot open any may have from somebody else.
package struct TapInterface: ~Copyable, Sendable {
    package let descriptor: FileDescriptor
    /// The largest packet in bytes.
    package let mtu: UInt16

    /// Opens the interface, and sets it up if this process may.
    ///
    /// - Parameter interface: its name; nil lets the kernel choose one for a new interface.
    package init(name interface: String?) throws(SystemError) {
        var name = Array((interface ?? "").utf8CString.prefix(16)) + [CChar](repeating: 0, count: 16)
        descriptor = FileDescriptor(
            owning: try checked("TUNSETIFF \(interface ?? "")") { aerie_tap_open(&name) })
        _ = aerie_interface_set_up(name)
        mtu = Self.valid(Int(aerie_interface_mtu(name)))
    }

    /// Takes over an interface that somebody else has opened.
    package init(owning descriptor: consuming FileDescriptor, mtu: Int) {
        self.descriptor = descriptor
        self.mtu = Self.valid(mtu)
    }

    private static func valid(_ mtu: Int) -> UInt16 { (68...65535).contains(mtu) ? UInt16(mtu) : 1500 }
}
