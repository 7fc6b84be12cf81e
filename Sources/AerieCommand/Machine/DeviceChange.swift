internal import Aerie
internal import ControlAPI
internal import MachineSession

/// A change to a device of a running machine that `aerie set` asks for.
struct DeviceChange {
    let method: ControlRequest.Method
    let parameters: [String: JSONValue]

    init(method: ControlRequest.Method, parameters: [String: JSONValue]) {
        self.method = method
        self.parameters = parameters
    }

    /// - Parameter text: `NUMBER=SIZE`.
    init(diskSize text: String) throws(AerieError) {
        let (number, value) = try Self.pair(text, of: "--disk", form: "NUMBER=SIZE")
        let size = try RunSettings.size(value, asked: "--disk \(text)")
        self.init(method: .resizeDisk, parameters: ["disk": JSONValue(number), "bytes": JSONValue(size.bytes)])
    }

    /// - Parameter text: `NUMBER=up|down`.
    init(link text: String) throws(AerieError) {
        let form = "NUMBER=up or NUMBER=down"
        let (number, value) = try Self.pair(text, of: "--link", form: form)
        guard ["up", "down"].contains(value) else { throw Self.malformed("--link", text, form) }
        self.init(method: .setLink, parameters: ["card": JSONValue(number), "up": .boolean(value == "up")])
    }

    /// The changes of a rate of one device or of all.
    ///
    /// - Parameters:
    ///   - text: `[NUMBER=]RATE`.
    ///   - method: `setDiskRate` or `setNetworkRate`.
    ///   - count: how many devices the machine has.
    static func rates(
        _ text: String, of method: ControlRequest.Method, count: Int
    ) throws(AerieError) -> [DeviceChange] {
        let isDisk = method == .setDiskRate
        let (option, unit) = isDisk ? ("--disk-rate", "iops") : ("--network-rate", "pps")
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let numbers: [Int]
        if parts.count == 2 {
            guard let number = Int(parts[0]), number >= 0 else { throw malformed(option, text, "NUMBER=RATE") }
            numbers = [number]
        } else {
            numbers = Array(0..<count)
        }
        guard let rate = RateLimit(parts[parts.count - 1], unit: unit) else {
            throw AerieError(
                .usage, asked: option, found: "'\(text)' is not a valid rate",
                advice: "use bytes in a second such as 10M, operations such as 500\(unit), both with a comma, or none")
        }
        guard !numbers.isEmpty else {
            throw AerieError(
                .usage, asked: "\(option) \(text)",
                found: "the machine has no \(isDisk ? "disk" : "network card")", advice: "leave it out")
        }
        var parameters: [String: JSONValue] = [:]
        if let bytes = rate.bytes { parameters["bytes"] = JSONValue(bytes.bytes) }
        if let operations = rate.operations { parameters["operations"] = JSONValue(operations) }
        return numbers.map { number in
            let place = [isDisk ? "disk" : "card": JSONValue(number)]
            return DeviceChange(method: method, parameters: parameters.merging(place) { $1 })
        }
    }

    private static func pair(_ text: String, of option: String, form: String) throws(AerieError) -> (Int, String) {
        let parts = text.split(separator: "=", omittingEmptySubsequences: false)
        guard parts.count == 2, let number = Int(parts[0]), number >= 0 else { throw malformed(option, text, form) }
        return (number, String(parts[1]))
    }

    private static func malformed(_ option: String, _ text: String, _ form: String) -> AerieError {
        AerieError(.usage, asked: "\(option) \(text)", found: "it has another form", advice: "use \(form)")
    }
}
