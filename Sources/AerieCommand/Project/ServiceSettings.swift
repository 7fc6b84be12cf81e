internal import Aerie
internal import Compose
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

    /// - Throws: `badInput` for a value that is wrong, with its place in the file.
    static func settings(_ service: ComposeService) throws(AerieError) -> RunSettings {
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
        if !service.command.isEmpty { result.command = service.command }
        do throws(AerieError) {
            let configuration = try result.configuration()
            // What an image adds is checked when the machine is made.
            if result.image == nil { try configuration.validate() }
        } catch {
            throw AerieError(
                error.category == .usage ? .badInput : error.category, asked: "\(service.place): \(error.asked)",
                found: error.found, advice: error.advice)
        }
        return result
    }
}
