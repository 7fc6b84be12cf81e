internal import CKVM
internal import Glibc
internal import HostSystem
internal import Synchronization

/// A vCPU of the kernel with its run area, and the rules for getting it out of guest code.
struct VCPU: ~Copyable, Sendable {
    let descriptor: FileDescriptor
    private let area: Mapping
    /// The thread that is running the vCPU, for the signal that interrupts it.
    private let thread = Mutex<UInt?>(nil)

    init(_ machine: borrowing KVMMachine, identifier: Int) throws(KVMError) {
        let descriptor = try kvm { () throws(SystemError) in
            FileDescriptor(
                owning: try machine.descriptor.control("KVM_CREATE_VCPU", AERIE_KVM_CREATE_VCPU, UInt(identifier)))
        }
        let count = machine.runAreaSize
        let rawValue = descriptor.rawValue
        let area = try kvm { () throws(SystemError) in
            _ = try checked("sigaction") { aerie_kvm_prepare_kicks() }
            return try Mapping(count: count, flags: MAP_SHARED, descriptor: rawValue)
        }
        if machine.ringEntries > 0 { try machine.addRing(of: identifier, rawValue) }
        self.init(owning: descriptor, area)
    }

    private init(owning descriptor: consuming FileDescriptor, _ area: consuming Mapping) {
        self.descriptor = descriptor
        self.area = area
    }

    /// The run area: shared with the kernel, which writes it only while the vCPU's own thread is in KVM_RUN, and reads
    /// `immediate_exit` there.
    var runArea: UnsafeMutableRawPointer { area.address }

    // MARK: Getting out

    /// The calling thread is going to run the vCPU.
    func take() { thread.withLock { $0 = aerie_kvm_take_kicks() } }

    /// The calling thread does not run the vCPU any more.
    func leave() { thread.withLock { $0 = nil } }

    /// Makes KVM_RUN return EINTR: the present call, or the next one.
    func kick() {
        thread.withLock { thread in
            setImmediateExit(1)
            if let thread { aerie_kvm_kick(thread) }
        }
    }

    /// Whether `kick` was called since the last time; the next KVM_RUN enters guest code again.
    func takeKick() -> Bool {
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
