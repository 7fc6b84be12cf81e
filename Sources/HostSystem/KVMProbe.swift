internal import CLinux
internal import Glibc

/// Whether the host's kernel offers hardware virtualization to this process.
package enum KVMProbe {
    package static let path = "/dev/kvm"
    /// The only version there will be; the kernel's documentation asks programs to refuse any other.
    package static let supportedVersion: Int32 = 12
    // _IO(KVMIO, 0x00)
    private static let getAPIVersion: UInt = 0xAE00

    /// The kernel's KVM API version.
    package static func apiVersion() throws(SystemError) -> Int32 {
        let device = try FileDescriptor(path: path, flags: O_RDWR)
        return try checked("ioctl KVM_GET_API_VERSION") { aerie_ioctl_pointer(device.rawValue, getAPIVersion, nil) }
    }
}
