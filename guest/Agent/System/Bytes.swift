/// Texts are bytes: the agent has no tables of Unicode.
extension [UInt8] {
    @inline(never)
    init(_ text: StaticString) {
        self.init(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    @inline(never)
    mutating func add(_ text: StaticString) {
        append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    @inline(never)
    mutating func add(_ bytes: [UInt8]) { append(contentsOf: bytes) }

    /// Appends a number in decimal digits.
    @inline(never)
    mutating func add(number: UInt64) {
        var digits: [UInt8] = []
        var rest = number
        repeat {
            digits.append(UInt8(ascii: "0") + UInt8(rest % 10))
            rest /= 10
        } while rest > 0
        append(contentsOf: digits.reversed())
    }

    /// Calls `body` with the bytes and a zero byte behind them.
    func withCString<Result>(_ body: (UnsafePointer<UInt8>) -> Result) -> Result {
        var copy = self
        copy.append(0)
        return copy.withUnsafeBufferPointer { body($0.baseAddress.unsafelyUnwrapped) }
    }

    @inline(never)
    func starts(withText text: StaticString) -> Bool {
        guard count >= text.utf8CodeUnitCount else { return false }
        for index in 0..<text.utf8CodeUnitCount where self[index] != text.utf8Start[index] { return false }
        return true
    }

    @inline(never)
    func ends(withText text: StaticString) -> Bool {
        let length = text.utf8CodeUnitCount
        guard count >= length else { return false }
        for index in 0..<length where self[count - length + index] != text.utf8Start[index] { return false }
        return true
    }

    @inline(never)
    func contains(_ text: StaticString) -> Bool {
        let length = text.utf8CodeUnitCount
        guard count >= length else { return false }
        for start in 0...(count - length) {
            var index = 0
            while index < length, self[start + index] == text.utf8Start[index] { index += 1 }
            if index == length { return true }
        }
        return false
    }

    @inline(never)
    static func == (bytes: [UInt8], text: StaticString) -> Bool {
        bytes.count == text.utf8CodeUnitCount && bytes.starts(withText: text)
    }

    /// The parts between separators, empty ones included.
    @inline(never)
    func parts(separatedBy separator: UInt8) -> [[UInt8]] {
        var parts: [[UInt8]] = []
        var start = 0
        for index in 0...count where index == count || self[index] == separator {
            parts.append(Array(self[start..<index]))
            start = index + 1
        }
        return parts
    }

    /// The words between spaces and line ends.
    var words: [[UInt8]] {
        var words: [[UInt8]] = []
        var start = 0
        for index in 0...count {
            let isEnd = index == count || self[index] == 32 || self[index] == 10 || self[index] == 9
            guard isEnd else { continue }
            if index > start { words.append(Array(self[start..<index])) }
            start = index + 1
        }
        return words
    }

    /// The number in decimal digits, or nil if it is none or does not fit.
    var number: UInt64? {
        guard !isEmpty else { return nil }
        var value: UInt64 = 0
        for byte in self {
            guard UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte else { return nil }
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(UInt64(byte - UInt8(ascii: "0")))
            guard !overflow, !carry else { return nil }
            value = sum
        }
        return value
    }

    /// Without spaces and line ends at both sides.
    @inline(never)
    var trimmed: [UInt8] {
        var start = 0
        var end = count
        while start < end, self[start] <= 32 { start += 1 }
        while end > start, self[end - 1] <= 32 { end -= 1 }
        return Array(self[start..<end])
    }

    /// `'TEXT': ` in front of a message about it.
    @inline(never)
    static func quoted(_ text: [UInt8], _ message: StaticString) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.add("'")
        bytes.append(contentsOf: text.prefix(512))
        bytes.add("': ")
        bytes.add(message)
        return bytes
    }
}
