internal import Machine
package import SavedState
internal import Synchronization

/// The lifecycle of a domain. Controllers that deliver in different ways have records of different kinds.
extension APLICDomain {
    private static func kind(_ state: borrowing APLICState) -> String {
        state.isDirect ? "aplic-direct-domain" : "aplic-domain"
    }

    package func start() { resume() }

    /// Harts learn what their interrupts are.
    package func resume() { controller.driveAll(level) }

    package func reset() {
        controller.state.withLock { state in
            // What lines show stays, and changes with the next delivery.
            let signals = state[level].interfaces.map(\.isSignaled)
            state[level] = APLICDomainState(sources: state.sources, harts: signals.count)
            for hart in signals.indices { state[level].interfaces[hart].isSignaled = signals[hart] }
            if level == .machine { state.addresses = InlineArray(repeating: 0) }
        }
    }

    package func save() throws(SavedStateError) -> SavedRecord {
        controller.state.withLock { state in
            var record = SavedRecord(kind: Self.kind(state), version: 1)
            let domain = state[level]
            record.set("delivers", domain.delivers)
            for (name, values) in [
                ("configurations", domain.configurations), ("targets", domain.targets), ("pending", domain.pending),
                ("enabled", domain.enabled), ("generated", [domain.generated]), ("levels", state.levels),
                ("addresses", (0..<4).map { state.addresses[$0] }),
            ] {
                record.set(name, values.map { UInt64($0) })
            }
            guard state.isDirect else { return record }
            record.set("deliveries", domain.interfaces.map { UInt64($0.delivers ? 1 : 0) })
            record.set("forces", domain.interfaces.map { UInt64($0.isForced ? 1 : 0) })
            record.set("thresholds", domain.interfaces.map { UInt64($0.threshold) })
            return record
        }
    }

    /// The record of the machine level has what both domains use. It is restored before the other.
    package func restore(_ record: SavedRecord) throws(SavedStateError) {
        try controller.state.withLock { state throws(SavedStateError) in
            try record.expect(kind: Self.kind(state), versions: 1...1)
            var domain = APLICDomainState(sources: state.sources, harts: state[level].interfaces.count)
            domain.delivers = try record.boolean("delivers")
            let count = state.sources + 1
            let modes = level == .machine ? APLICState.delegated | 7 : 7
            domain.configurations = try record.words("configurations", masks: Array(repeating: modes, count: count))
            domain.targets = try record.words(
                "targets", masks: Array(repeating: state.targetMask(level), count: count))
            let all = state.sourceMasks
            domain.pending = try record.words("pending", masks: all)
            domain.enabled = try record.words("enabled", masks: all)
            domain.generated = try record.words("generated", masks: [state.generatedMask])[0]
            let levels = try record.words("levels", masks: all)
            let addresses = try record.words("addresses", masks: (0..<4).map { state.addressMask($0) })
            if state.isDirect { try Self.restore(&domain.interfaces, record) }
            if level == .machine {
                state.levels = levels
                for number in 0..<4 { state.addresses[number] = addresses[number] }
            }
            try Self.check(domain, of: state, isRoot: level == .machine)
            state[level] = domain
            if state.isDirect { state.copyLevels(level) }
        }
    }

    private static func restore(
        _ interfaces: inout [APLICInterface], _ record: SavedRecord
    ) throws(SavedStateError) {
        func words(_ name: String, mask: UInt32) throws(SavedStateError) -> [UInt32] {
            try record.words(name, masks: Array(repeating: mask, count: interfaces.count))
        }
        let (deliveries, forces) = (try words("deliveries", mask: 1), try words("forces", mask: 1))
        let thresholds = try words("thresholds", mask: APLICInterface.priorityMask)
        for hart in interfaces.indices {
            interfaces[hart] = APLICInterface(
                delivers: deliveries[hart] == 1, isForced: forces[hart] == 1, threshold: thresholds[hart])
        }
    }

    /// Checks that sources have legal modes, and inactive ones nothing else; and that a child has only what its root gave it.
    private static func check(
        _ domain: APLICDomainState, of state: borrowing APLICState, isRoot: Bool
    ) throws(SavedStateError) {
        let (kind, root) = (kind(state), state[.machine])
        for source in domain.configurations.indices {
            let configuration = domain.configurations[source]
            let mode = SourceMode(rawValue: configuration)
            let isDelegated = configuration == APLICState.delegated
            let isOwn = source > 0 && (isRoot || root.configurations[source] == APLICState.delegated)
            guard mode != nil || isDelegated, isOwn || configuration == 0 else {
                throw .badField(kind: kind, field: "configurations")
            }
            guard mode == .inactive || isDelegated else {
                // There is no priority 0.
                guard !state.isDirect || domain.targets[source] & APLICInterface.priorityMask != 0 else {
                    throw .badField(kind: kind, field: "targets")
                }
                continue
            }
            let bits = domain.pending[source / 32] | domain.enabled[source / 32]
            guard domain.targets[source] == 0, bits >> UInt32(source % 32) & 1 == 0 else {
                throw .badField(kind: kind, field: "targets")
            }
        }
    }
}
