internal import Aerie
internal import AerieMachines
internal import ControlAPI
internal import Foundation
internal import GuestImages
internal import HostSystem
internal import MachineSession
internal import Runtime

/// Makes a machine out of what a user asked for: for `aerie run` and `aerie create`.
struct MachineMaking {
    let settings: RunSettings
    let identity: MachineIdentity
    /// Whether the machine, and the changes to its image's disk, go with its end.
    let isTemporary: Bool
    /// The words of the command line that ask for the machine.
    var arguments: [String] = []
    /// Whether the command comes to the guest through its agent, when it runs. Otherwise the guest's init runs it at the console.
    var commandIsLater = false
    /// Whether the disk of a temporary machine is kept beside it while it is there, for a snapshot.
    var keepsTemporaryDisk = false
    /// Nil for a machine that boots.
    var instant: InstantStart?

    /// A machine that is there and has not started.
    struct Made {
        let machine: Machine
        /// Keeps the image from being removed until the machine's own processes do.
        let boot: ImageBoot?
        let plan: InstantStart.Plan
        let isTemporary: Bool

        /// For the machine's processes; -1 for none.
        var lease: Int32 { boot?.leaseDescriptor ?? -1 }
    }

    func run() async throws -> Made {
        var configuration = try settings.configuration()
        if configuration.mergesMemory { Self.warnOfMerging() }
        var boot: ImageBoot?
        if let image = settings.image {
            if settings.lacksNetwork {
                StandardError.write(
                    "aerie: network: passt is not installed, so the guest has no network; apt-get install passt, or use "
                        + "--network none\n")
            }
            boot = try await ImageBoot.find(image, architecture: settings.architecture)
        } else if settings.command != nil {
            throw AerieError(
                .usage, asked: "a command for the guest", found: "no image is named", advice: "name one, such as debian"
            )
        }
        if boot == nil { try configuration.validate() }
        var plan = InstantStart.Plan.boots
        let directory = try StateDirectory(environment: ProcessInfo.processInfo.environment)
        let machine = try directory.create(name: identity.name) { id, name, work, final in
            if let boot {
                let disk = keepsDisk ? RootDiskPlace(work: work, final: final) : nil
                // A guest that waits for its command has nothing to do at its console.
                let command = commandIsLater ? GuestBootWords.idleCommand : settings.command ?? []
                // A name that the user has given stands behind it, and wins.
                if !isTemporary {
                    let words = ["aerie.hostname=\(name)", configuration.commandLine]
                    configuration.commandLine = words.filter { !$0.isEmpty }.joined(separator: " ")
                }
                try boot.complete(
                    &configuration, command: command, settings, disk: disk, hasTerminal: !commandIsLater)
                try Self.validate(configuration, work: work, final: final)
            }
            let hasAgent = try Self.moveAgent(out: &configuration, to: work)
            guard hasAgent || identity.healthCheck == nil else {
                throw AerieError(
                    .usage, asked: "a health check",
                    found: "the guest is no image of Aerie, and has no agent to run it",
                    advice: "leave it out")
            }
            var record = MachineRecord(
                id: id, name: name, created: HostClock.realtime(),
                stopTimeout: settings.stopTimeout ?? GuestSession.defaultStopTimeout,
                workingDirectory: FileManager.default.currentDirectoryPath, configuration: configuration)
            record.image = boot?.record
            record.command = settings.command ?? []
            // Who makes a snapshot at the end removes the machine then.
            record.removesAtEnd = isTemporary && !keepsTemporaryDisk
            record.hasAgent = hasAgent
            identity.apply(to: &record)
            record.arguments = arguments
            record.requiresJail = settings.requireJail
            record.logLevel = settings.logLevel?.rawValue
            record.logFile = settings.logFile
            if let instant, boot?.startsServices == false { plan = instant.plan(record, settings, work: work) }
            if case .goesOn = plan { record.renewCardAddresses(keepsChosen: true) }
            return record
        }
        return Made(machine: machine, boot: boot, plan: plan, isTemporary: isTemporary)
    }

    private static func warnOfMerging() {
        StandardError.write(
            "aerie: --merge: by timing, this guest and others with --merge can find out which pages they have in common; use it for "
                + "guests that trust each other\n")
        let state = try? String(contentsOfFile: "/sys/kernel/mm/ksm/run", encoding: .utf8)
        if state?.hasPrefix("1") != true {
            StandardError.write(
                "aerie: --merge: this host merges no pages now; 'echo 1 > /sys/kernel/mm/ksm/run' as root starts it\n")
        }
    }

    /// The machine's own disk is not in its place yet.
    private static func validate(_ configuration: Configuration, work: String, final: String) throws(AerieError) {
        var checked = configuration
        for index in checked.disks.indices where checked.disks[index].path == "\(final)/\(Machine.rootDiskName)" {
            checked.disks[index].path = "\(work)/\(Machine.rootDiskName)"
        }
        try checked.validate()
    }

    /// The agent is a file of the machine, not a part of its record.
    ///
    /// - Returns: whether there is one.
    private static func moveAgent(out configuration: inout Configuration, to work: String) throws -> Bool {
        let archive = configuration.appendedInitrd
        guard !archive.isEmpty else { return false }
        try Data(archive).write(to: URL(filePath: "\(work)/\(Machine.agentName)"))
        configuration.appendedInitrd = []
        return true
    }

    /// An image's disk is kept with the machine, unless the user has a place for it, or wants none.
    private var keepsDisk: Bool {
        (!isTemporary || keepsTemporaryDisk) && settings.overlay == nil && settings.readOnly != true
    }
}

/// Where the changes to an image's disk are kept: made in one directory, and used in another.
struct RootDiskPlace {
    let work: String
    let final: String
}
