internal import CKVM
internal import Glibc
internal import HostSystem

/// The host's KVM: /dev/kvm, open.
package struct KVMSystem: ~Copyable, Sendable {
    package static let path = "/dev/kvm"
    /// The only version there will be; the kernel's documentation asks programs to refuse any other.
    package static let supportedVersion: Int32 = 12

    let descriptor: FileDescriptor
    /// Bytes of a vCPU's run area.
    let runAreaSize: Int

    /// Opens /dev/kvm and checks that it has what every machine needs.
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

    /// Whether the kernel has a capability.
    package func has(_ capability: KVMCapability) -> Bool { Self.limit(capability.number, descriptor.rawValue) > 0 }

    /// How many vCPUs a machine may have.
    package var mostProcessors: Int {
        // Before there was a maximum, the recommended number was it; before that, 4 (api.rst, KVM_CREATE_VCPU).
        let limits = [KVM_CAP_MAX_VCPUS, KVM_CAP_NR_VCPUS].map { Self.limit(UInt($0), descriptor.rawValue) }
        return Int(limits.first { $0 > 0 } ?? 4)
    }

    /// How many entries the rings of a machine are to have; 0 for a log.
    func ringEntries(for tracking: KVMMachine.WriteTracking) -> Int {
        guard case .rings(let entries) = tracking else { return 0 }
        precondition(
            (1024...65536).contains(entries) && entries & (entries - 1) == 0, "a dirty ring of \(entries) entries")
        // The kernel's number is the bytes of its largest ring, a power of two as well; 0 where it has none.
        let largest = Self.limit(KVMCapability.dirtyRings.number, descriptor.rawValue)
        return min(entries, Int(largest) / DirtyRing.entrySize)
    }

    private static func limit(_ capability: UInt, _ device: Int32) -> Int32 {
        // The call has no error besides "no": it asks for nothing.
        max(aerie_kvm_ioctl_value(device, AERIE_KVM_CHECK_EXTENSION, capability), 0)
    }
}

extension FileDescriptor {
    /// ioctl(2) with a number.
    @discardableResult
    borrowing func control(
        _ name: @autoclosure () -> String, _ request: UInt, _ argument: UInt
    ) throws(SystemError) -> Int32 {
        let descriptor = rawValue
        return try checked("ioctl \(name())") { aerie_kvm_ioctl_value(descriptor, request, argument) }
    }

    /// ioctl(2) with a structure, which the kernel may change.
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

    /// ioctl(2) with a structure that the kernel fills.
    borrowing func fetch<Value>(
        _ name: @autoclosure () -> String, _ request: UInt, into value: Value
    ) throws(SystemError) -> Value {
        var result = value
        try control(name(), request, &result)
        return result
    }
}
