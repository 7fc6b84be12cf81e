internal import Aerie
internal import Compose
internal import ControlAPI
internal import MachineSession

/// A service's settings as `aerie run` has them.
enum ServiceSettings {
    /// All options of `aerie run` that describe a machine. The command has a field of its own.
    static var vocabulary: ComposeVocabulary {
        var kinds: [String: ComposeVocabulary.Kind] = [:]
        for setting in RunSetting.allCases where setting != .command {
            kinds[setting.rawValue] =
                switch setting.kind {
                case .text, .number: .text
                case .flag: .flag
                case .list: .list
                }
        }
        return ComposeVocabulary(kinds)
    }

    /// - Parameter isRunning: whether the service's machine runs: the ports that it publishes are taken by itself.
    /// - Throws: `badInput` for a value that is wrong, with its place in the file.
    static func settings(_ service: ComposeService, isRunning: Bool) throws(AerieError) -> RunSettings {
        var result = RunSettings()
        for item in service.settings {
            guard let setting = RunSetting(rawValue: item.name) else { continue }
            switch item.value {
            case .flag(let flag): result.set(setting, to: flag)
            case .text(let text):
                do throws(AerieError) {
                    try result.set(setting, to: text, asked: "\(item.place)")
                } catch {
                    // Errors of single options name the option; here, the place says more.
                    throw AerieError(
                        error.category == .usage ? .badInput : error.category, asked: "\(item.place)",
                        found: error.found, advice: error.advice)
                }
            }
        }
        let command = result.bootsImage ? service.process.agentWords : service.process.words
        if !command.isEmpty { result.command = command }
        if let networks = networks(service, hasPorts: result.publishedPorts?.isEmpty == false) {
            result.networks = networks
            choosePCI(&result)
        }
        do throws(AerieError) {
            var configuration = try result.configuration()
            if isRunning { configuration.publishedPorts = [] }
            // What an image adds is checked when the machine is made.
            if result.image == nil { try configuration.validate() } else { try configuration.validateParts() }
        } catch {
            throw AerieError(
                error.category == .usage ? .badInput : error.category, asked: "\(service.place): \(error.asked)",
                found: error.found, advice: error.advice)
        }
        return result
    }

    /// What the command runs with, where the guest's agent starts it; nil for another guest and for the image's shell.
    static func command(_ service: ComposeService, _ settings: RunSettings) -> CommandSettings? {
        guard settings.bootsImage, !service.process.agentWords.isEmpty else { return nil }
        return CommandSettings(
            environment: service.process.variables, directory: service.process.directory,
            user: service.process.userText)
    }

    /// The cards of a service on networks of its project: a user network for the way out, and a switch for each network.
    ///
    /// - Returns: nil for a service whose cards are described otherwise.
    private static func networks(_ service: ComposeService, hasPorts: Bool) -> [NetworkCard]? {
        guard !service.attachments.isEmpty else { return nil }
        // Without passt there is no way out, unless something needs it, which is an error.
        let hasUserNetwork = service.hasWayOut && (Configuration.findPasst() != nil || hasPorts)
        return (hasUserNetwork ? [NetworkCard(network: .user)] : [])
            + service.attachments.map { NetworkCard(network: .segment($0.network.segment), macAddress: $0.macAddress) }
    }

    /// A service has more cards than its user has counted: where the slots of virtio-mmio do not suffice, its devices are on PCI Express.
    private static func choosePCI(_ settings: inout RunSettings) {
        guard settings.transport == nil, settings.image != nil, settings.architecture ?? .riscv64 == .riscv64 else {
            return
        }
        let devices =
            (settings.networks?.count ?? 0) + (settings.disks?.count ?? 0) + (settings.shares?.count ?? 0)
            + (settings.console == .virtio ? 1 : 0)
        if devices > mostDevices { settings.transport = .pci }
    }

    /// Disks, cards and shared folders of an image's service for which virtio-mmio has room, besides the root disk, the control port, the
    /// agent's socket, the random numbers and the balloon.
    private static let mostDevices = 3
}
