internal import Aerie
internal import AerieMachines
internal import AgentProtocol
internal import ControlAPI
internal import Foundation
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
    /// What the command runs with, where the guest's agent starts it; nil for a command on the kernel's command line.
    var commandSettings: CommandSettings?
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

        /// Whether the snapshot of the image is made of the machine.
        var isForImage: Bool {
            if case .isSaved = plan { true } else { false }
        }

        /// For the machine's processes; -1 for none.
        var lease: Int32 { boot?.leaseDescriptor ?? -1 }
    }

    func run() async throws -> Made {
        let configuration = try settings.configuration()
        if settings.image != nil { try configuration.validateParts() }
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
        var plan = InstantStart.Plan.boots
        let directory = try StateDirectory(environment: ProcessInfo.processInfo.environment)
        let machine = try maker(configuration, boot, in: directory).make { record, work in
            guard record.hasAgent || identity.healthCheck == nil else {
                throw AerieError(
                    .usage, asked: "a health check",
                    found: "the guest was not started from an image of Aerie, and has no agent to run it",
                    advice: "leave it out")
            }
            record.command = settings.command ?? []
            if record.hasAgent { try add(commandSettings, to: &record) }
            // Who makes a snapshot at the end removes the machine then.
            record.removesAtEnd = isTemporary && !keepsTemporaryDisk
            identity.apply(to: &record)
            if let network = record.network {
                try SegmentAddresses(directory.machines()).check(network, of: record.id)
            }
            record.arguments = arguments
            record.requiresJail = settings.requireJail
            record.logLevel = settings.logLevel?.rawValue
            record.logFile = settings.logFile
            if let instant, boot?.startsServices == false { plan = instant.plan(record, settings, work: work) }
            if case .goesOn = plan { record.renewCardAddresses(keepsChosen: true) }
        }
        return Made(machine: machine, boot: boot, plan: plan, isTemporary: isTemporary)
    }

    private func maker(
        _ configuration: Configuration, _ boot: ImageBoot?, in directory: StateDirectory
    ) -> MachineMaker {
        var maker = MachineMaker(configuration, in: directory)
        maker.name = identity.name
        maker.image = boot?.image
        if let command = settings.command, commandSettings != nil {
            maker.command = command.isEmpty ? [] : GuestBootWords.agentCommand
        } else if !commandIsLater {
            // A guest that waits for its command has nothing to do at its console.
            maker.command = settings.command ?? []
        }
        if !commandIsLater { maker.words = ImageBoot.terminalWords }
        maker.diskSize = settings.diskSize
        maker.rootDisk =
            if let overlay = settings.overlay {
                .overlay(overlay)
            } else {
                // Kept with the machine, unless the user wants nothing kept.
                (!isTemporary || keepsTemporaryDisk) && settings.readOnly != true ? .kept : .discarded
            }
        maker.namesHost = !isTemporary
        maker.stopTimeout = settings.stopTimeout ?? GuestSession.defaultStopTimeout
        return maker
    }

    private func add(_ command: CommandSettings?, to record: inout MachineRecord) throws(AerieError) {
        guard let command, !record.command.isEmpty else { return }
        record.commandSettings = command
        guard GuestFiles.command(record) == nil else { return }
        throw AerieError(
            .usage, asked: "the command for the guest",
            found:
                "it has more than \(AgentLimits.payload) bytes or \(AgentLimits.fields) words, its environment included",
            advice: "put what is long into a file, and share its directory (--share)")
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
}
