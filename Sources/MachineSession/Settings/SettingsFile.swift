package import Aerie
internal import ControlAPI
internal import Glibc
internal import HostSystem

/// The file of `--config`: a JSON object whose keys are the long options of `aerie run`, and `image`.
///
/// It is read strictly: an unknown key or a value of the wrong kind is an error that names the key.
package struct SettingsFile {
    private let path: String

    /// No file of settings is longer; one that is was named by mistake.
    private static let longest = 1 << 20

    /// Reads a file, a pipe, or a descriptor by its name in /dev/fd.
    package static func read(_ path: String) throws(AerieError) -> RunSettings {
        let file = SettingsFile(path: path)
        return try file.settings(try file.content())
    }

    private func error(_ found: String, _ advice: String) -> AerieError {
        AerieError(.badInput, asked: "--config \(path)", found: found, advice: advice)
    }

    private func content() throws(AerieError) -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        do throws(SystemError) {
            let descriptor = try FileDescriptor(path: path, flags: O_RDONLY)
            while bytes.count <= Self.longest {
                let count = try chunk.withUnsafeMutableBufferPointer { (buffer) throws(SystemError) in
                    try descriptor.read(into: UnsafeMutableRawBufferPointer(buffer))
                }
                if count == 0 { return bytes }
                bytes += chunk[..<count]
            }
        } catch {
            throw self.error(String(cString: strerror(error.code)), "check the path")
        }
        throw error("the file is larger than 1M", "give a JSON file")
    }

    private func settings(_ text: [UInt8]) throws(AerieError) -> RunSettings {
        let value: JSONValue
        do {
            value = try JSONValue(parsing: text)
        } catch {
            throw self.error("it is not JSON (\(error))", "correct the file")
        }
        guard case .object(let pairs) = value else {
            throw error("it is not a JSON object", "write {\"image\": \"debian\"} and the like")
        }
        var result = RunSettings()
        for (key, value) in pairs.sorted(by: { $0.key < $1.key }) {
            do throws(AerieError) {
                try apply(key, value, to: &result)
            } catch {
                // The words are those of the options; the mistake stands in the file.
                throw AerieError(
                    .badInput, asked: "\(error.asked) of --config \(path)", found: error.found, advice: error.advice)
            }
        }
        return result
    }

    private func apply(_ key: String, _ value: JSONValue, to settings: inout RunSettings) throws(AerieError) {
        let asked = "key '\(key)'"
        guard let setting = RunSetting(rawValue: key) else {
            throw AerieError(
                .badInput, asked: asked, found: "it is not known",
                advice: "use the long options of 'aerie run' without their dashes")
        }
        switch (setting.kind, value) {
        case (.text, .string(let text)): try settings.set(setting, to: text, asked: asked)
        case (.number, .number(let text)) where Int(text) != nil: try settings.set(setting, to: text, asked: asked)
        case (.flag, .boolean(let flag)): settings.set(setting, to: flag)
        case (.list, .string(let text)): try settings.set(setting, to: text, asked: asked)
        case (.list, .array(let values)):
            for value in values {
                guard case .string(let text) = value else { throw wrong(asked, setting) }
                try settings.set(setting, to: text, asked: asked)
            }
        default: throw wrong(asked, setting)
        }
    }

    private func wrong(_ asked: String, _ setting: RunSetting) -> AerieError {
        let wanted =
            switch setting.kind {
            case .text, .list: "a string"
            case .number: "a whole number"
            case .flag: "true or false"
            }
        return AerieError(.badInput, asked: asked, found: "its value is not \(wanted)", advice: "correct it")
    }
}
