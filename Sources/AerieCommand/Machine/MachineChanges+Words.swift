internal import Aerie
internal import AerieMachines
internal import MachineSession

/// The changes to devices that words of `aerie set` ask for.
extension MachineChanges {
    /// - Parameter text: `NUMBER=SIZE`.
    mutating func add(diskSize text: String) throws(AerieError) {
        let (number, value) = try Self.pair(text, of: "--disk", form: "NUMBER=SIZE")
        disks[number, default: DiskChange()].size = try RunSettings.size(value, asked: "--disk \(text)")
    }

    /// - Parameter text: `NUMBER=up|down`.
    mutating func add(link text: String) throws(AerieError) {
        let form = "NUMBER=up or NUMBER=down"
        let (number, value) = try Self.pair(text, of: "--link", form: form)
        guard ["up", "down"].contains(value) else { throw Self.malformed("--link", text, form) }
        networkCards[number, default: CardChange()].isUp = value == "up"
    }

    /// - Parameters:
    ///   - text: `[NUMBER=]RATE`; without a number, of all disks.
    ///   - count: how many disks the machine has.
    mutating func add(diskRate text: String, count: Int) throws(AerieError) {
        let (numbers, rate) = try Self.rate(text, of: "--disk-rate", unit: "iops", device: "disk", count: count)
        for number in numbers { disks[number, default: DiskChange()].rate = rate }
    }

    /// - Parameters:
    ///   - text: `[NUMBER=]RATE`; without a number, of all cards.
    ///   - count: how many cards the machine has.
    mutating func add(networkRate text: String, count: Int) throws(AerieError) {
        let (numbers, rate) = try Self.rate(
            text, of: "--network-rate", unit: "pps", device: "network card", count: count)
        for number in numbers { networkCards[number, default: CardChange()].rate = rate }
    }

    private static func rate(
        _ text: String, of option: String, unit: String, device: String, count: Int
    ) throws(AerieError) -> ([Int], RateLimit) {
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
                .usage, asked: "\(option) \(text)", found: "the machine has no \(device)", advice: "leave it out")
        }
        return (numbers, rate)
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
