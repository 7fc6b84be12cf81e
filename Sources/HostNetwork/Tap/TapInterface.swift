internal import CLinux
internal import Glibc
package import HostSystem

/// An open queue of a TAP interface, which a process that cannot open any may have from somebody else.
package struct TapInterface: ~Copyable, Sendable {
    package let descriptor: FileDescriptor
    /// The largest packet in bytes.
    package let mtu: UInt16
    /// The interface's name; empty if somebody else has opened it.
    let name: [CChar]
    /// Whether further queues can be opened.
    let isMultiQueue: Bool

    /// Opens the interface, and sets it up if this process may.
    ///
    /// - Parameters:
    ///   - name: its name; nil lets the kernel choose one for a new interface.
    ///   - isMultiQueue: makes a new interface with several queues. One that exists has several or not, as its maker wanted.
    package init(name interface: String?, isMultiQueue wanted: Bool = false) throws(SystemError) {
        let asked = Array((interface ?? "").utf8CString.prefix(16)) + [CChar](repeating: 0, count: 16)
        var (name, isMultiQueue) = (asked, wanted)
        var number = aerie_tap_open(&name, wanted ? 1 : 0)
        if number == -1, errno == EINVAL {
            (name, isMultiQueue) = (asked, !wanted)
            number = aerie_tap_open(&name, wanted ? 0 : 1)
        }
        descriptor = FileDescriptor(owning: try checked("TUNSETIFF \(interface ?? "")") { number })
        _ = aerie_interface_set_up(name)
        mtu = Self.valid(Int(aerie_interface_mtu(name)))
        self.name = name
        self.isMultiQueue = isMultiQueue
    }

    /// Takes over an interface that somebody else has opened.
    package init(owning descriptor: consuming FileDescriptor, mtu: Int) {
        self.descriptor = descriptor
        self.mtu = Self.valid(mtu)
        name = []
        isMultiQueue = false
    }

    private static func valid(_ mtu: Int) -> UInt16 { (68...65535).contains(mtu) ? UInt16(mtu) : 1500 }

    /// Opens another queue of the interface, which the kernel does not use yet.
    func openQueue() throws(SystemError) -> FileDescriptor {
        var name = name
        let result = FileDescriptor(owning: try checked("TUNSETIFF") { aerie_tap_open(&name, 1) })
        _ = aerie_tap_attach(result.rawValue, 0)
        return result
    }
}
