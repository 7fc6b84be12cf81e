import Support

/// The runnable vCPUs that no hart runs, in the order of their virtual times: a list through `hv_vcpu.next`.
struct RunQueue {
    private(set) var first: VCPU?

    /// Behind vCPUs with the same virtual time, so that they take turns.
    mutating func insert(_ vcpu: VCPU) {
        let time = vcpu.pointee.virtual_time
        var before: VCPU?
        var after = first
        while let other = after, other.pointee.virtual_time <= time {
            before = other
            after = other.pointee.next
        }
        vcpu.pointee.next = after
        if let before { before.pointee.next = vcpu } else { first = vcpu }
    }

    /// Does nothing if the vCPU is not in the queue.
    @inline(__always)
    mutating func remove(_ vcpu: VCPU) {
        if first == vcpu { first = vcpu.pointee.next } else { removeBehindFirst(vcpu) }
    }

    @inline(never)
    private func removeBehindFirst(_ vcpu: VCPU) {
        var before = first
        while let other = before {
            if other.pointee.next == vcpu {
                other.pointee.next = vcpu.pointee.next
                return
            }
            before = other.pointee.next
        }
    }
}
