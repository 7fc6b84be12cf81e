internal import CKVM
internal import Glibc
internal import HostSystem

/// The open /dev/kvm.
package struct KVMSystem: ~Copyable, Sendable {
    package static let path = "/dev/kvm"
    /// KVM_GET_API_VERSION's only value; programs shall refuse any other (api.rst, 4.1).
    package static let supportedVersion: Int32 = 12

    let descriptor: FileDescriptor
    /// Bytes of a vCPU's `kvm_run` mapping.
    let runAreaSize: Int

    /// Opens /dev/kvm and checks its version and its required capabilities.
    package init() throws(KVMError) {
        let device = try Self.open()
        let (version, runAreaSize) = try kvm { () throws(SystemError) in
            (
                try device.control("KVM_GET_API_VERSION", AERIE_KVM_GET_API_VERSION, 0),
                try device.control("KVM_GET_VCPU_MMAP_SIZE", AERIE_KVM_GET_VCPU_MMAP_SIZE, 0)
            )
        }
        guard version == Self.supportedVersion else { throw .wrongVersion(version) }
        let required = KVMCapability.allCases.filter(\.isRequired)
        if let capability = required.first(where: { Self.limit($0.number, device.rawValue) <= 0 }) {
            throw .missing(capability)
        }
        self.init(owning: device, runAreaSize: Int(runAreaSize))
    }

    private init(owning descriptor: consuming FileDescriptor, runAreaSize: Int) {
        self.descriptor = descriptor
        self.runAreaSize = runAreaSize
    }

    private static func open() throws(KVMError) -> FileDescriptor {
        do throws(SystemError) {
            return try FileDescriptor(path: path, flags: O_RDWR)
        } catch {
            switch error.code {
            case ENOENT, ENXIO, ENODEV: throw .noDevice
            case EACCES, EPERM: throw .noPermission
            default: throw KVMError(error)
            }
        }
    }

    /// Whether the kernel has the capability.
    package func has(_ capability: KVMCapability) -> Bool { Self.limit(capability.number, descriptor.rawValue) > 0 }

    /// The largest number of vCPUs of a machine.
    package var maximumVCPUs: Int {
        // Without KVM_CAP_MAX_VCPUS the recommended number is the limit, and without that it is 4 (api.rst, KVM_CREATE_VCPU).
        let limits = [KVM_CAP_MAX_VCPUS, KVM_CAP_NR_VCPUS].map { Self.limit(UInt($0), descriptor.rawValue) }
        return Int(limits.first { $0 > 0 } ?? 4)
    }

    private static func limit(_ capability: UInt, _ device: Int32) -> Int32 {
        // An error counts as a missing capability.
        max(aerie_kvm_ioctl_value(device, AERIE_KVM_CHECK_EXTENSION, capability), 0)
    }
}

extension FileDescriptor {
    /// ioctl(2) with an integer argument.
    @discardableResult
    borrowing func control(
        _ name: @autoclosure () -> String, _ request: UInt, _ argument: UInt
    ) throws(SystemError) -> Int32 {
        let descriptor = rawValue
        return try checked("ioctl \(name())") { aerie_kvm_ioctl_value(descriptor, request, argument) }
    }

    /// ioctl(2) with a structure that the kernel reads and may change.
    @discardableResult
    borrowing func control<Value>(
        _ name: @autoclosure () -> String, _ request: UInt, _ value: inout Value
    ) throws(SystemError) -> Int32 {
        let descriptor = rawValue
        return try withUnsafeMutablePointer(to: &value) { pointer throws(SystemError) in
            try checked("ioctl \(name())") {
                aerie_kvm_ioctl_value(descriptor, request, UInt(bitPattern: pointer))
            }
        }
    }

    /// ioctl(2) with a copy of `value`; returns the copy as the kernel filled it.
    borrowing func fetch<Value>(
        _ name: @autoclosure () -> String, _ request: UInt, into value: Value
    ) throws(SystemError) -> Value {
        var result = value
        try control(name(), request, &result)
        return result
    }
}
