package import Aerie

/// A machine's share of the host's processors. The machine's keeper applies it; the guest does not see it. Nil where nothing was asked for.
package struct ProcessorShare: Codable, Equatable, Sendable {
    /// The valid weights, on the scale of cgroup v2's `cpu.weight`.
    package static let weightRange = 1...10_000
    /// An ordinary process's weight.
    package static let defaultWeight = 100
    /// The valid limits in percent of one processor.
    package static let limitRange = 1...102_400
    /// The highest number of a processor (`CPU_SETSIZE` of Linux, less 1).
    package static let highestProcessor = 1023

    /// The machine's part of a busy processor, in relation to the weights of others: in `weightRange`.
    package var weight: Int?
    /// The processor time that the machine may have, in percent of one processor: in `limitRange`.
    package var limit: Int?
    /// The numbers of the processors that the machine may run on, ascending.
    package var processors: [Int]?

    package init(weight: Int? = nil, limit: Int? = nil, processors: [Int]? = nil) {
        self.weight = weight
        self.limit = limit
        self.processors = processors
    }

    /// Reads a weight.
    package static func weight(_ text: String, asked: String) throws(AerieError) -> Int {
        if let weight = number(text[...]), weightRange.contains(weight) { return weight }
        throw AerieError(
            .usage, asked: asked, found: "'\(text)' is not a number from 1 to 10000",
            advice: "choose a number in this range; 100 is an ordinary process's weight")
    }

    /// Reads a limit such as `30%`; nil for `none`.
    package static func limit(_ text: String, asked: String) throws(AerieError) -> Int? {
        if text == "none" { return nil }
        if text.hasSuffix("%"), let limit = number(text.dropLast()), limitRange.contains(limit) { return limit }
        throw AerieError(
            .usage, asked: asked, found: "'\(text)' is not a limit from 1% to 102400%",
            advice: "use a percentage of one processor, such as 30% or 250%, or none")
    }

    /// Reads numbers and ranges of processors, such as `0-3,6`.
    package static func processors(_ text: String, asked: String) throws(AerieError) -> [Int] {
        var found: Set<Int> = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false)
            guard (1...2).contains(ends.count), let first = number(ends[0]), let last = number(ends[ends.count - 1]),
                first <= last, last <= highestProcessor
            else {
                throw AerieError(
                    .usage, asked: asked, found: "'\(text)' is not a list of processors",
                    advice: "use numbers and ranges, such as 0-3,6")
            }
            found.formUnion(first...last)
        }
        return found.sorted()
    }

    /// Digits without a sign.
    private static func number(_ text: Substring) -> Int? {
        text.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Int(text) : nil
    }
}
