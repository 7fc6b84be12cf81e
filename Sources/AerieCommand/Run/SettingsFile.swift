internal import Aerie
internal import Foundation
internal import HostSystem

/// A value of a JSON text.
private enum JSONValue: Decodable {
    case null, boolean(Bool), integer(Int), number, string(String), array([JSONValue]), object([String: JSONValue])

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .boolean(value)
        } else if let value = try? container.decode(Int.self) {
            self = .integer(value)
        } else if (try? container.decode(Double.self)) != nil {
            self = .number
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let value = try? container.decode([JSONValue].self) {
            self = .array(value)
        } else {
            self = .object(try container.decode([String: JSONValue].self))
        }
    }
}

/// The file of `--config`: an object whose keys are the long options of `aerie run`, and `image`.
///
/// It is read strictly: an unknown key or a value of the wrong kind is an error that names the key.
struct SettingsFile {
    private let path: String

    /// No file of settings is longer; one that is was named by mistake.
    private static let longest = 1 << 20

    static func read(_ path: String) throws(AerieError) -> RunSettings {
        let file = SettingsFile(path: path)
        var bytes = [UInt8](repeating: 0, count: longest + 1)
        let count: Int
        do throws(SystemError) {
            let descriptor = try FileDescriptor(path: path, flags: O_RDONLY)
            count = try bytes.withUnsafeMutableBufferPointer { (buffer) throws(SystemError) in
                try descriptor.read(at: 0, into: UnsafeMutableRawBufferPointer(buffer))
            }
        } catch {
            throw file.error(String(cString: strerror(error.code)), "check the path")
        }
        guard count <= longest else { throw file.error("the file is larger than 1M", "give a JSON file") }
        return try file.settings(Data(bytes[..<count]))
    }

    private func error(_ found: String, _ advice: String) -> AerieError {
        AerieError(.badInput, asked: "--config \(path)", found: found, advice: advice)
    }

    private func settings(_ data: Data) throws(AerieError) -> RunSettings {
        let value: JSONValue
        do {
            value = try JSONDecoder().decode(JSONValue.self, from: data)
        } catch {
            let reason =
                ((error as? DecodingError).flatMap(Self.underlying) as NSError?)?
                .userInfo[NSDebugDescriptionErrorKey] as? String
            throw self.error("it is not JSON\(reason.map { " (\($0))" } ?? "")", "correct the file")
        }
        guard case .object(let pairs) = value else {
            throw error("it is not a JSON object", "write {\"image\": \"debian\"} and the like")
        }
        var result = RunSettings()
        for key in pairs.keys.sorted() {
            do throws(AerieError) {
                try apply(key, pairs[key]!, to: &result)
            } catch {
                // The words are those of the options; the mistake stands in the file.
                throw AerieError(
                    .badInput, asked: "\(error.asked) of --config \(path)", found: error.found, advice: error.advice)
            }
        }
        return result
    }

    private static func underlying(_ error: DecodingError) -> (any Error)? {
        if case .dataCorrupted(let context) = error { return context.underlyingError }
        return nil
    }

    private func apply(_ key: String, _ value: JSONValue, to settings: inout RunSettings) throws(AerieError) {
        let asked = "key '\(key)'"
        switch key {
        case "image": settings.image = try string(value, asked)
        case "command":
            settings.command = try list(value).map { (value) throws(AerieError) in try string(value, asked) }
        case "arch": settings.architecture = try SettingValue.choice(string(value, asked), asked: asked)
        case "engine": settings.engine = try SettingValue.choice(string(value, asked), asked: asked)
        case "trace": settings.trace = try string(value, asked)
        case "cpus": settings.cpus = try integer(value, asked, in: Configuration.cpuRange)
        case "memory": settings.memory = try SettingValue.size(string(value, asked), asked: asked)
        case "kernel": settings.kernel = try string(value, asked)
        case "initrd": settings.initrd = try string(value, asked)
        case "append": settings.commandLine = try string(value, asked)
        case "firmware": settings.firmware = try string(value, asked)
        case "disk": settings.disks = try disks(value, asked)
        case "transport": settings.transport = try SettingValue.choice(string(value, asked), asked: asked)
        case "console": settings.console = try SettingValue.choice(string(value, asked), asked: asked)
        case "read-only": settings.readOnly = try boolean(value, asked)
        case "no-reboot": settings.noReboot = try boolean(value, asked)
        case "stop-timeout": settings.stopTimeout = try integer(value, asked, in: SettingValue.stopTimeoutRange)
        default:
            throw AerieError(
                .badInput, asked: asked, found: "it is not known",
                advice: "use the long options of 'aerie run' without their dashes")
        }
    }

    private func string(_ value: JSONValue, _ asked: String) throws(AerieError) -> String {
        guard case .string(let text) = value else { throw wrong(asked, "a string") }
        return text
    }

    private func boolean(_ value: JSONValue, _ asked: String) throws(AerieError) -> Bool {
        guard case .boolean(let flag) = value else { throw wrong(asked, "true or false") }
        return flag
    }

    private func integer(
        _ value: JSONValue, _ asked: String, in range: ClosedRange<Int>
    ) throws(AerieError) -> Int {
        guard case .integer(let number) = value else { throw wrong(asked, "a whole number") }
        return try SettingValue.integer(String(number), asked: asked, in: range)
    }

    /// One disk or a list of them, each in the words of `--disk`.
    private func disks(_ value: JSONValue, _ asked: String) throws(AerieError) -> [Disk] {
        var result: [Disk] = []
        for value in list(value) { result.append(try Disk(option: string(value, asked))) }
        return result
    }

    private func list(_ value: JSONValue) -> [JSONValue] {
        if case .array(let values) = value { values } else { [value] }
    }

    private func wrong(_ asked: String, _ wanted: String) -> AerieError {
        AerieError(.badInput, asked: asked, found: "its value is not \(wanted)", advice: "correct it")
    }
}
