internal import Aerie
internal import AerieMachines
internal import AgentClient
internal import AgentProtocol
internal import ControlAPI
internal import Foundation
internal import GuestImages
internal import HostSystem
internal import Logging
internal import MachineSession
internal import Runtime

/// `aerie run IMAGE COMMAND` from a snapshot of the image just before its first command.
///
/// The first machine with a key is saved when its guest has come up, before it gets its command. Later ones go on from there. A cache that
/// cannot be read or written makes a start slow, and is not an error.
struct InstantStart {
    /// What a machine has to do with the snapshots.
    enum Plan {
        case boots
        case goesOn(from: InstantSnapshot)
        case isSaved(as: InstantKey)
    }

    /// A machine that did not come as far as its command, and may do so by booting.
    struct Failure: Error {
        let cause: any Error
    }

    /// Programs of the image that run in each new machine (`MachineIdentityRenewal`).
    private static let hooks = Array("/etc/aerie/forked.d".utf8)
    private static let machineID = Array("/etc/machine-id".utf8)
    /// What every command needs is in the guest's memory afterwards: the shell, the library, the agent's own pages. The module is what the
    /// guest's init loads a second later, and would load in each guest again.
    private static let warmUp = ["/bin/sh", "-c", "modprobe -q virtio_balloon"]
    /// How often a guest does what each later one begins with, so that the translator generates code for it, which goes along; and for how
    /// long, in nanoseconds.
    private static let warmUpRounds = 30
    private static let warmUpTime: UInt64 = 2_000_000_000
    /// Nanoseconds.
    private static let warmUpLimit: UInt64 = 10_000_000_000

    let store: InstantStore

    init() throws(ImageError) {
        let directories = try ImageDirectories(environment: ProcessInfo.processInfo.environment)
        store = InstantStore(cache: directories.cache)
    }

    /// Gives a new machine the files to go on from, if there are some.
    ///
    /// - Parameter work: the directory of the machine, which is being made.
    func plan(_ record: MachineRecord, _ settings: RunSettings, work: String) -> Plan {
        guard Self.mayGoOn(record, settings), let image = record.image, let programs = try? MachineProgram.stamps(),
            let key = try? InstantKey(
                image: image.directory, configuration: record.configuration, directory: record.workingDirectory,
                programs: programs)
        else { return .boots }
        do throws(AerieError) {
            if let snapshot = try store.link(key, to: work) { return .goesOn(from: snapshot) }
        } catch { return .boots }
        return .isSaved(as: key)
    }

    /// Whether nothing of the machine is in use elsewhere, or was written since.
    private static func mayGoOn(_ record: MachineRecord, _ settings: RunSettings) -> Bool {
        let configuration = record.configuration
        // The state of a guest under KVM depends on the host's processor.
        guard record.hasAgent, configuration.architecture == .riscv64, settings.kernel == nil, settings.initrd == nil,
            configuration.firmware == nil, configuration.flash.isEmpty, configuration.sockets == nil,
            configuration.watchdog == .off, configuration.translationTrace == nil
        else { return false }
        // The image's own disk, whose changes are in the state.
        guard configuration.disks.count == 1, configuration.disks[0].access == .discardChanges else { return false }
        // Two guests on one network would have one address.
        return configuration.networkCards.allSatisfy { $0.network == .user }
    }

    /// Removes the snapshots that nothing can go on from any more: their image is gone, or other programs made them.
    ///
    /// - Parameter all: the others as well.
    /// - Returns: how many there were, and their bytes.
    @discardableResult
    func prune(all: Bool) -> (count: Int, bytes: UInt64) {
        let programs = try? MachineProgram.stamps()
        return store.removeAll { key in
            guard let key, !all else { return true }
            return programs != nil && key.programs != programs || access("\(key.image)/manifest.json", F_OK) != 0
        }
    }

    /// Saves a machine whose guest has come up.
    func save(_ machine: Machine, as key: InstantKey) {
        // Another machine that has started at the same time may have been faster.
        guard !store.contains(key) else { return }
        let client = AgentClient(MachineEndpoints.agent(of: machine))
        do {
            let hasHooks = try client.status(of: Self.hooks, followsLinks: true) != nil
            let hasMachineID = try client.status(of: Self.machineID, followsLinks: true) != nil
            _ = try client.run(CommandRequest(arguments: Self.warmUp), limit: Self.warmUpLimit)
            if machine.record.configuration.engine != .interpret {
                warmUp(machine, client, setsMachineID: hasMachineID)
            }
            try store.add(key, hasHooks: hasHooks, hasMachineID: hasMachineID) { work in
                try SnapshotFiles.save(machine, to: work)
            }
        } catch {
            Logger(label: "run").debug("an image's snapshot was not made", metadata: ["reason": "\(error)"])
        }
    }

    /// What fails here is not missed.
    private func warmUp(_ machine: Machine, _ client: AgentClient, setsMachineID: Bool) {
        let renewal = MachineIdentityRenewal(setsHostname: false, setsMachineID: setsMachineID, runsHooks: false)
        let end = HostClock.monotonic() &+ Self.warmUpTime
        for _ in 0..<Self.warmUpRounds where HostClock.monotonic() < end {
            do {
                try renewal.run(machine)
                _ = try client.run(CommandRequest(arguments: ["/bin/true"]), limit: Self.warmUpTime)
            } catch { return }
        }
    }
}
