internal import Glibc
package import HostSystem

/// Why KVM cannot do what a machine needs. The description is one line for people: what was found, and what to do.
package enum KVMError: Error, Equatable, CustomStringConvertible {
    /// The host has no /dev/kvm.
    case noDevice
    /// /dev/kvm is there, but not for this user.
    case noPermission
    case wrongVersion(Int32)
    /// The kernel lacks something that a machine cannot do without.
    case missing(KVMCapability)
    /// A machine of `asked` vCPUs where the kernel allows `limit`.
    case tooManyProcessors(asked: Int, limit: Int)
    /// The host has no memory left for the machine.
    case noMemory(SystemError)
    /// A saved vCPU has a processor feature that this host's KVM does not offer.
    case unsupportedProcessor(String)
    /// The kernel did not take a register of a saved vCPU over.
    case refusedRegister(UInt32)
    /// Another call failed.
    case failed(SystemError)

    init(_ error: SystemError) {
        self = error.code == ENOMEM ? .noMemory(error) : .failed(error)
    }

    package var description: String {
        switch self {
        case .noDevice:
            "there is no \(KVMSystem.path); load the kernel's kvm module, or let the host of this machine offer nested "
                + "virtualization"
        case .noPermission:
            "\(KVMSystem.path) may not be opened; join the group that owns it: usermod -aG kvm $USER"
        case .wrongVersion(let version):
            "\(KVMSystem.path) has API version \(version), not \(KVMSystem.supportedVersion); use another kernel"
        case .missing(let capability):
            "this kernel's KVM lacks \(capability.meaning) (\(capability)); use a newer kernel"
        case .tooManyProcessors(let asked, let limit):
            "this kernel's KVM has \(limit) processors for a machine, not \(asked); ask for fewer"
        case .noMemory(let error): "the host has too little memory (\(error)); give the machine less, or free some"
        case .unsupportedProcessor(let feature):
            "this host's processor or KVM lacks what the machine was saved with: \(feature); restore on a host like the "
                + "one it was saved on"
        case .refusedRegister(let index):
            "KVM does not take model-specific register 0x\(String(index, radix: 16)) over; restore on a host like the one "
                + "the machine was saved on"
        case .failed(let error): error.description
        }
    }
}

/// Calls `body` with the system errors of this module's calls as its own.
@discardableResult
func kvm<Result: ~Copyable>(_ body: () throws(SystemError) -> Result) throws(KVMError) -> Result {
    do throws(SystemError) { return try body() } catch { throw KVMError(error) }
}
