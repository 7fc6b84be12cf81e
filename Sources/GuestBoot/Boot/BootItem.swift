/// A part of what a machine is started with, as messages name it.
package struct BootItem: Equatable, Sendable, CustomStringConvertible {
    package enum Role: String, Sendable {
        case kernel
        case initrd
        case firmware
        case deviceTree = "device tree"
        /// What a boot protocol wants in memory besides the kernel.
        case bootData = "boot data"
    }

    package let role: Role
    /// The file as the user named it; empty for what the machine makes itself.
    package let path: String

    package init(_ role: Role, _ path: String = "") {
        self.role = role
        self.path = path
    }

    package var description: String { path.isEmpty ? role.rawValue : "\(role.rawValue) \(path)" }
}
