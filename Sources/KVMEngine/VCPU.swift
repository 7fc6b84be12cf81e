internal import CKVM
internal import Glibc
internal import HostSystem
internal import Synchronization

/// A KVM vCPU: its descriptor, its `kvm_run` mapping, and the signal that makes KVM_RUN return.
struct VCPU: ~Copyable, Sendable {
    let descriptor: FileDescriptor
    private let area: Mapping
    /// The thread that runs the vCPU and receives the kick signal; nil while no thread does.
    private let thread = Mutex<UInt?>(nil)

    init(_ machine: borrowing KVMMachine, identifier: Int) throws(KVMError) {
        let descriptor = try kvm { () throws(SystemError) in
            FileDescriptor(
                owning: try machine.descriptor.control("KVM_CREATE_VCPU", AERIE_KVM_CREATE_VCPU, UInt(identifier)))
        }
        let count = machine.runAreaSize
        let rawValue = descriptor.rawValue
        let area = try kvm { () throws(SystemError) in
            _ = try checked("sigaction") { aerie_kvm_install_kick_handler() }
            return try Mapping(count: count, flags: MAP_SHARED, descriptor: rawValue)
        }
        self.init(owning: descriptor, area)
    }

    private init(owning descriptor: consuming FileDescriptor, _ area: consuming Mapping) {
        self.descriptor = descriptor
        self.area = area
    }

    /// The `kvm_run` mapping. The kernel writes to it only while the vCPU's thread is in KVM_RUN, and reads `immediate_exit` there.
    var runArea: UnsafeMutableRawPointer { area.address }

    // MARK: Kicks

    /// Makes the calling thread the vCPU's thread.
    func bindToCurrentThread() { thread.withLock { $0 = aerie_kvm_accept_kicks() } }

    /// Ends `bindToCurrentThread`.
    func unbind() { thread.withLock { $0 = nil } }

    /// Makes KVM_RUN return EINTR: the present call, or else the next one.
    func kick() {
        thread.withLock { thread in
            setImmediateExit(1)
            if let thread { aerie_kvm_kick(thread) }
        }
    }

    /// Returns and clears whether `kick` was called. The next KVM_RUN enters guest code again.
    func consumeKick() -> Bool {
        thread.withLock { _ in
            let kicked = runArea.load(fromByteOffset: AERIE_RUN_IMMEDIATE_EXIT, as: UInt8.self) != 0
            setImmediateExit(0)
            return kicked
        }
    }

    private func setImmediateExit(_ value: UInt8) {
        runArea.storeBytes(of: value, toByteOffset: AERIE_RUN_IMMEDIATE_EXIT, as: UInt8.self)
    }
}
