internal import Aerie
internal import AgentClient
internal import AgentProtocol
internal import ControlAPI
internal import HostSystem
package import Runtime

/// Makes a guest that goes on from a saved one somebody else: the right time, new random numbers, its own host name, machine ID
/// and network addresses.
///
/// The guest's agent does it. It is the first thing that a restored machine is asked for; its programs run on meanwhile.
package struct MachineIdentityRenewal {
    private static let entropyLength = 64
    /// Seconds.
    private static let patience: UInt64 = 30
    /// Nanoseconds for the guest's own programs.
    private static let hookLimit: UInt64 = 30_000_000_000
    private static let hooks =
        "for hook in \(AgentLimits.hookDirectory)/*; do [ -x \"$hook\" ] && \"$hook\" \"$1\"; done; true"

    private let setsHostname: Bool
    private let setsMachineID: Bool
    private let runsHooks: Bool

    /// - Parameters:
    ///   - setsHostname: whether the host name becomes the machine's name.
    ///   - setsMachineID: whether the guest gets a new machine ID.
    ///   - runsHooks: whether the guest's programs in `/etc/aerie/forked.d` run.
    package init(setsHostname: Bool = true, setsMachineID: Bool = true, runsHooks: Bool = true) {
        self.setsHostname = setsHostname
        self.setsMachineID = setsMachineID
        self.runsHooks = runsHooks
    }

    /// - Throws: an error of category `notStarted` when the guest's agent did not do it.
    package func run(_ machine: Machine) throws {
        guard machine.record.hasAgent else { return }
        let client = AgentClient(
            MachineConnector(machine: machine), wait: AgentWait(limit: Self.patience), answerLimit: Self.patience)
        let entropy = try Self.random(Self.entropyLength)
        var request = ConfigureRequest()
        if setsHostname { request.hostname = Self.hostname(machine.record.name) }
        if setsMachineID { request.machineID = try Self.machineID() }
        request.entropy = entropy
        do throws(AgentError) {
            if let network = machine.record.network {
                request.network = Array(network.text(machine.record.configuration.networkCards).utf8)
            }
            let hasHooks = try configure(client, request, cards: machine.record.configuration.networkCards)
            let shared = NetworkRenewal.addresses(machine.record.configuration.networkCards)
            if !shared.isEmpty {
                let renewal = CommandRequest(arguments: ["/bin/sh", "-c", NetworkRenewal.script, "sh"] + shared)
                _ = try client.run(renewal, limit: Self.hookLimit)
            }
            guard hasHooks else { return }
            let hook = CommandRequest(arguments: ["/bin/sh", "-c", Self.hooks, "sh", machine.record.name])
            _ = try client.run(hook, limit: Self.hookLimit)
        } catch {
            throw AerieError(
                .notStarted, asked: "a new identity of machine '\(machine.record.name)'", found: error.found,
                advice: "the machine runs, and some of its identity is that of the one that was saved")
        }
    }

    /// - Returns: whether the guest has programs of its own that are to run.
    private func configure(
        _ client: AgentClient, _ request: ConfigureRequest, cards: [NetworkCard]
    ) throws(AgentError) -> Bool {
        var complete = request
        let addresses = cards.compactMap(\.addressBytes)
        if addresses.count == cards.count { complete.cardAddresses = addresses }
        complete.countsHooks = runsHooks
        do throws(AgentError) {
            return try client.configure(complete, setsClock: true) > 0
        } catch .refused(let failure) where failure.code == .faultyMessage {
            try Self.configureEarlier(client, complete)
            guard runsHooks else { return false }
            // A shell would take ten times as long to find out.
            return try client.status(of: Array("\(AgentLimits.hookDirectory)".utf8), followsLinks: true) != nil
        }
    }

    /// The agent of a guest that an earlier version has saved refuses what it does not know before it applies anything.
    private static func configureEarlier(_ client: AgentClient, _ request: ConfigureRequest) throws(AgentError) {
        var known = request
        known.countsHooks = false
        do throws(AgentError) {
            try client.configure(known, setsClock: true)
        } catch .refused(let failure) where failure.code == .faultyMessage && !known.cardAddresses.isEmpty {
            known.cardAddresses = []
            try client.configure(known, setsClock: true)
        }
    }

    private static func machineID() throws(AerieError) -> [UInt8] {
        try random(16).flatMap { byte in [byte >> 4, byte & 15].map { $0 < 10 ? 0x30 + $0 : 0x57 + $0 } }
    }

    /// A machine's name may have underscores, which a host name has not.
    private static func hostname(_ name: String) -> [UInt8] { name.utf8.map { $0 == UInt8(ascii: "_") ? 0x2D : $0 } }

    private static func random(_ count: Int) throws(AerieError) -> [UInt8] {
        do throws(SystemError) { return try randomBytes(count: count) } catch {
            throw AerieError(opening: "random numbers", error)
        }
    }
}
