/// A message of the domain name system (RFC 1035, section 4), as far as a policy needs it.
struct DNSMessage {
    private static let headerSize = 12
    /// The most resource records of an answer that are read.
    private static let mostRecords = 64

    let identifier: UInt16
    let isResponse: Bool
    /// The only question's name in lower case, without a dot at the end.
    let name: String
    /// The bytes of the header and the question.
    let questionEnd: Int
    private let answerCount: Int
    private let bytes: UnsafeRawBufferPointer

    /// Reads a standard query or its response. Nil for a message that is cut off, has no or several questions, asks for another
    /// operation, or for a name that is not a host's.
    init?(_ bytes: UnsafeRawBufferPointer) {
        guard let identifier = bytes.word(0), let flags = bytes.word(2), bytes.word(4) == 1,
            let answers = bytes.word(6), flags & 0x7800 == 0
        else { return nil }
        var labels: [String] = []
        var offset = Self.headerSize
        var length = 0
        while true {
            guard offset < bytes.count else { return nil }
            let count = Int(bytes[offset])
            offset += 1
            if count == 0 { break }
            // Nothing stands before a question's name that it could refer to.
            length += count + 1
            guard count < 64, length < 255, offset + count <= bytes.count else { return nil }
            let label = bytes[offset..<offset + count]
            guard label.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ".") }) else { return nil }
            labels.append(String(decoding: label, as: UTF8.self).lowercased())
            offset += count
        }
        guard offset + 4 <= bytes.count, !labels.isEmpty else { return nil }
        self.identifier = identifier
        isResponse = flags & 0x8000 != 0
        // A query with records in it would carry data; one is that of EDNS (RFC 6891, section 6.1.1).
        guard isResponse || answers == 0 && bytes.word(8) == 0 && (bytes.word(10) ?? 0) <= 1 else { return nil }
        name = labels.joined(separator: ".")
        questionEnd = offset + 4
        answerCount = Int(answers)
        self.bytes = bytes
    }

    /// The addresses of the answer section with their lifetimes in seconds, whatever name of a chain of aliases they belong to.
    func addresses() -> [(address: IPAddress, lifetime: UInt32)] {
        var result: [(IPAddress, UInt32)] = []
        var offset = questionEnd
        for _ in 0..<min(answerCount, Self.mostRecords) {
            guard let start = skipName(offset), let type = bytes.word(start), let lifetime = bytes.long(start + 4),
                let length = bytes.word(start + 8), start + 10 + Int(length) <= bytes.count
            else { break }
            if type == 1 && length == 4 || type == 28 && length == 16 {
                result.append((IPAddress(bytes[start + 10..<start + 10 + Int(length)]), lifetime))
            }
            offset = start + 10 + Int(length)
        }
        return result
    }

    /// Where a record's name ends, which may be a pointer (section 4.1.4).
    private func skipName(_ start: Int) -> Int? {
        var offset = start
        while offset < bytes.count {
            let count = bytes[offset]
            if count == 0 { return offset + 1 }
            if count >= 0xC0 { return offset + 2 }
            guard count < 64 else { return nil }
            offset += Int(count) + 1
        }
        return nil
    }

    /// The answer to this query that refuses it (section 4.1.1, RCODE 5).
    func refusal() -> [UInt8] {
        var answer = Array(bytes[..<questionEnd])
        answer[2] = answer[2] & 0x79 | 0x80
        answer[3] = 0x85
        // One question, and no records.
        for index in 6..<12 { answer[index] = 0 }
        return answer
    }
}
