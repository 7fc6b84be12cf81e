internal import Glibc
package import HostSystem

/// A failure of KVM. The description is one line for people: what was found; what to do.
package enum KVMError: Error, Equatable, CustomStringConvertible {
    /// The host has no /dev/kvm.
    case noDevice
    /// This user may not open /dev/kvm.
    case noPermission
    case wrongVersion(Int32)
    /// The kernel lacks a capability that the machine needs.
    case missing(KVMCapability)
    /// The machine has `asked` vCPUs, and the kernel allows `limit`.
    case tooManyVCPUs(asked: Int, limit: Int)
    /// The host has too little memory (ENOMEM).
    case noMemory(SystemError)
    /// The saved CPUID model has these features, which this host lacks.
    case unsupportedFeatures([String])
    /// The processor model has these features, which this host lacks.
    case lacksFeatures([String])
    /// The kernel refuses the value of a model-specific register, given by its number.
    case refusedMSR(UInt32)
    /// Another system call failed.
    case failed(SystemError)

    init(_ error: SystemError) {
        self = error.code == ENOMEM ? .noMemory(error) : .failed(error)
    }

    package var description: String {
        switch self {
        case .noDevice:
            "\(KVMSystem.path) does not exist; load the kernel's kvm module, or enable nested virtualization on the host of "
                + "this machine"
        case .noPermission:
            "this user may not open \(KVMSystem.path); join the group that owns it: usermod -aG kvm $USER"
        case .wrongVersion(let version):
            "\(KVMSystem.path) has API version \(version), not \(KVMSystem.supportedVersion); use another kernel"
        case .missing(let capability):
            "this kernel's KVM lacks \(capability.meaning) (\(capability)); use a newer kernel"
        case .tooManyVCPUs(let asked, let limit):
            "this kernel's KVM allows \(limit) vCPUs in a machine, not \(asked); use fewer"
        case .noMemory(let error):
            "the host has too little memory (\(error)); give the machine less memory, or free some"
        case .unsupportedFeatures(let names):
            "this host's processor or KVM lacks what the saved machine has: \(names.joined(separator: ", ")); restore it on a host "
                + "that has it, and save machines that move with a processor model such as --cpu x86-64-v2"
        case .lacksFeatures(let names):
            "this host's processor or KVM lacks \(names.joined(separator: ", ")); use a lower model, or another host"
        case .refusedMSR(let index):
            "KVM refuses the saved value of model-specific register 0x\(String(index, radix: 16)); restore the machine on a "
                + "host like the one that saved it"
        case .failed(let error): error.description
        }
    }
}

/// Calls `body` and converts its `SystemError` to a `KVMError`.
@discardableResult
func kvm<Result: ~Copyable>(_ body: () throws(SystemError) -> Result) throws(KVMError) -> Result {
    do throws(SystemError) { return try body() } catch { throw KVMError(error) }
}
