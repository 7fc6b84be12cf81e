import Testing

@testable import AgentProtocol

@Suite("Records of the agent's protocol")
struct RecordTests {
    private func field(_ tag: UInt8, _ bytes: [UInt8]) -> [UInt8] {
        [tag, 0, 0, 0, UInt8(bytes.count), 0, 0, 0] + bytes
    }

    private func fault(_ type: FrameType, _ payload: [UInt8]) -> ProtocolFault? {
        do throws(ProtocolFault) {
            _ = try AgentRequest(Frame(type, payload: payload))
            return nil
        } catch { return error }
    }

    @Test("A field that reaches beyond its record is refused")
    func fieldsBeyondTheEnd() {
        #expect(fault(.execute, [1, 0, 0, 0, 2, 0, 0, 0, 65]) == .malformedRecord)
        #expect(fault(.execute, [1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]) == .malformedRecord)
        #expect(fault(.execute, [1, 0, 0, 0, 1, 0, 0]) == .malformedRecord)
        #expect(fault(.execute, [1, 0, 1, 0, 1, 0, 0, 0, 65]) == .malformedRecord)
    }

    @Test("Unknown, missing and repeated fields are refused by tag")
    func fieldSets() {
        let argument = field(1, [65])
        #expect(fault(.execute, argument) == nil)
        #expect(fault(.execute, argument + argument) == nil)
        #expect(fault(.execute, []) == .missingField(1))
        #expect(fault(.execute, argument + field(8, [])) == .unknownField(8))
        #expect(fault(.execute, argument + field(3, [47]) + field(3, [47])) == .repeatedField(3))
        #expect(fault(.put, field(2, [0, 0, 0, 0])) == .missingField(1))
        #expect(fault(.get, []) == .missingField(1))
        #expect(fault(.status, field(1, [47]) + field(1, [47])) == .repeatedField(1))
        #expect(fault(.configure, field(5, []) + field(5, [])) == .repeatedField(5))
    }

    @Test("Arguments, variables and paths have no zero bytes, a variable has a name, a path is not empty")
    func texts() {
        let argument = field(1, [65])
        #expect(fault(.execute, field(1, [65, 0])) == .invalidField(1))
        #expect(fault(.execute, field(1, [])) == .invalidField(1))
        #expect(fault(.execute, argument + field(1, [])) == nil)
        #expect(fault(.execute, argument + field(2, Array("A".utf8))) == .invalidField(2))
        #expect(fault(.execute, argument + field(2, Array("=A".utf8))) == .invalidField(2))
        #expect(fault(.execute, argument + field(3, [])) == .invalidField(3))
        #expect(fault(.execute, argument + field(5, [4, 0, 0, 0])) == .invalidField(5))
        #expect(fault(.execute, argument + field(6, [4, 0, 0, 0])) == .invalidField(6))
        let long = [UInt8](repeating: 65, count: 4096)
        #expect(fault(.status, [1, 0, 0, 0, 0, 0x10, 0, 0] + long) == .invalidField(1))
        #expect(fault(.status, [1, 0, 0, 0, 0xff, 0x0f, 0, 0] + long[1...]) == nil)
    }

    @Test("A record has at most 8192 fields, in both directions")
    func fieldCount() {
        let fields = (0..<8193).flatMap { _ in field(1, [65]) }
        #expect(fault(.execute, fields) == .tooManyFields)
        #expect(fault(.execute, Array(fields.dropLast(9))) == nil)
        let many = ExecuteRequest(arguments: Array(repeating: [65], count: 8193))
        #expect(ClientMessage.request(.execute(many)).frame == nil)
        let large = ExecuteRequest(arguments: Array(repeating: [UInt8](repeating: 65, count: 100_000), count: 3))
        #expect(ClientMessage.request(.execute(large)).frame == nil)
    }

    @Test("A host name is of letters, digits, dots and hyphens, and begins and ends with a letter or digit")
    func hostnames() {
        for name in ["a", "node-1", "a.b.c", "9", String(repeating: "x", count: 64)] {
            #expect(ConfigureRequest.isHostname(Array(name.utf8)), "\(name)")
        }
        for name in ["", "-a", "a-", ".a", "a b", "a\n", "ä", String(repeating: "x", count: 65)] {
            #expect(!ConfigureRequest.isHostname(Array(name.utf8)), "\(name)")
        }
    }

    @Test("CONFIGURE refuses identities and times of a wrong form")
    func configure() {
        #expect(fault(.configure, []) == nil)
        #expect(fault(.configure, field(2, Array("0123456789ABCDEF0123456789abcdef".utf8))) == .invalidField(2))
        #expect(fault(.configure, field(2, Array("0123".utf8))) == .invalidField(2))
        #expect(fault(.configure, field(3, [])) == .invalidField(3))
        #expect(fault(.configure, field(4, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0xca, 0x9a, 0x3b])) == .invalidField(4))
        #expect(fault(.configure, field(4, [0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xc9, 0x9a, 0x3b])) == nil)
        #expect(fault(.configure, field(4, [0, 0, 0, 0, 0, 0, 0, 0x80, 0, 0, 0, 0])) == .invalidField(4))
        #expect(fault(.configure, field(6, [1])) == .invalidField(6))
    }

    @Test("FORWARD has the fields of its family and no others")
    func forward() {
        let unix = field(1, [1, 0, 0, 0])
        let tcp = field(1, [2, 0, 0, 0])
        let arrived = field(1, [3, 0, 0, 0])
        #expect(fault(.forward, field(1, [4, 0, 0, 0])) == .invalidField(1))
        #expect(fault(.forward, arrived) == .missingField(5))
        #expect(fault(.forward, arrived + field(5, [1, 0, 0, 0])) == nil)
        #expect(fault(.forward, arrived + field(2, [47]) + field(5, [1, 0, 0, 0])) == .invalidField(1))
        #expect(fault(.forward, unix + field(2, [47]) + field(5, [1, 0, 0, 0])) == .invalidField(1))
        #expect(fault(.forward, []) == .missingField(1))
        #expect(fault(.forward, unix) == .missingField(2))
        #expect(fault(.forward, tcp) == .missingField(4))
        #expect(fault(.forward, unix + field(2, [47]) + field(4, [1, 0])) == .invalidField(1))
        #expect(fault(.forward, tcp + field(4, [0, 0])) == .invalidField(4))
        #expect(fault(.forward, tcp + field(4, [1, 0]) + field(2, [47])) == .invalidField(1))
        #expect(fault(.forward, unix + field(2, [UInt8](repeating: 65, count: 108))) == .invalidField(2))
    }
}
