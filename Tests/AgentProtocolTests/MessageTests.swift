import Testing

@testable import AgentProtocol

@Suite("Messages of the agent's protocol")
struct MessageTests {
    static var execute: ExecuteRequest {
        var request = ExecuteRequest(arguments: [Array("sh".utf8), Array("-c".utf8), []])
        request.environment = [Array("A=".utf8), Array("B=c=d".utf8)]
        request.directory = Array("/tmp".utf8)
        request.user = Array("nobody:nogroup".utf8)
        request.hasTerminal = true
        request.rows = 50
        request.columns = 132
        return request
    }

    static var configure: ConfigureRequest {
        var request = ConfigureRequest()
        request.hostname = Array("node-1.example".utf8)
        request.machineID = Array("0123456789abcdef0123456789abcdef".utf8)
        request.entropy = [1, 2, 3]
        request.time = GuestTime(seconds: 1_700_000_000, nanoseconds: 999_999_999)
        request.renewsNetwork = true
        request.growsRoot = true
        request.cardAddresses = [[0xAE, 0, 0, 0, 0, 1], [2, 3, 4, 5, 6, 7]]
        request.network = Array("host 10.89.0.2 db\n".utf8)
        return request
    }

    static var put: PutRequest {
        var request = PutRequest(path: Array("/srv".utf8))
        request.keepsOwners = true
        return request
    }

    static var clientMessages: [ClientMessage] {
        var get = GetRequest(paths: [Array("/a".utf8), Array("/b/.".utf8)])
        get.followsLinks = true
        var status = StatusRequest(path: Array("/etc".utf8))
        status.followsLinks = true
        return [
            .hello(version: 1), .request(.execute(execute)), .request(.put(put)), .request(.get(get)),
            .request(.status(status)), .request(.inform), .request(.configure(configure)), .request(.powerOff),
            .request(.reboot), .request(.ping), .request(.forward(.unix(path: Array("/run/s".utf8)))),
            .request(.forward(.tcp(address: nil, port: 22))), .request(.forward(.arrived(.max))),
            .request(.listen(ListenRequest(path: Array("/run/s".utf8)))),
            .request(.forward(.tcp(address: Array("::1".utf8), port: 65535))), .data([0, 255]), .end, .signal(15),
            .window(rows: 24, columns: 80),
        ]
    }

    static var agentMessages: [AgentMessage] {
        var status = FileStatus(
            kind: .symbolicLink, mode: 0o777, size: 1 << 40, modified: -5, owner: 1000, group: 0xffff_fffe)
        status.linkTarget = Array("x".utf8)
        status.realPath = Array("/x".utf8)
        var information = GuestInformation()
        information.agentVersion = Array("1".utf8)
        information.kernelRelease = Array("6.1".utf8)
        information.hostname = Array("h".utf8)
        information.bootID = Array(0..<16)
        information.uptime = 1
        information.memoryTotal = 2
        information.memoryAvailable = 3
        information.addresses = [Array("eth0 10.0.0.2/24".utf8), Array("eth0 fe80::1/64".utf8)]
        information.systemID = Array("debian".utf8)
        information.systemVersion = Array("13".utf8)
        information.outOfMemoryKills = 4
        return [
            .hello(version: 1, bootID: Array(0..<16)), .started(processID: 77), .data(stream: 1, [1]), .end(stream: 2),
            .credit(262_144), .exit(.exited(255)), .exit(.signalled(64)), .done(files: 1, bytes: 1 << 50),
            .status(status), .information(information), .arrived(5),
            .error(AgentFailure(.notFound, errno: 2, text: Array("'x': no such file".utf8))),
        ]
    }

    @Test("Every message of the client is read back as it was written")
    func clientRoundTrips() throws {
        for message in Self.clientMessages { #expect(try ClientMessage(#require(message.frame)) == message) }
    }

    @Test("Every message of the agent is read back as it was written")
    func agentRoundTrips() throws {
        for message in Self.agentMessages { #expect(try AgentMessage(message.frame) == message) }
    }

    @Test("No message can be cut to another length and stay valid, but those of records' whole fields and of texts")
    func cutMessages() throws {
        for message in Self.clientMessages {
            let frame = try #require(message.frame)
            for length in 0..<frame.payload.count {
                let cut = try? ClientMessage(
                    Frame(frame.type, stream: frame.stream, payload: Array(frame.payload[..<length])))
                #expect(cut != message)
            }
        }
        for message in Self.agentMessages {
            for length in 0..<message.frame.payload.count {
                let frame = message.frame
                let cut = try? AgentMessage(
                    Frame(frame.type, stream: frame.stream, payload: Array(frame.payload[..<length])))
                #expect(cut != message)
            }
        }
    }

    @Test("Any byte of any message may be any other: it is decoded or refused")
    func damagedMessages() throws {
        for frame in try Self.clientMessages.map({ try #require($0.frame) }) + Self.agentMessages.map(\.frame) {
            for index in frame.payload.indices {
                for value: UInt8 in [0, 1, 0x7f, 0x80, 0xff] {
                    var payload = frame.payload
                    payload[index] = value
                    let damaged = Frame(frame.type, stream: frame.stream, payload: payload)
                    // What is decoded is written again as the same meaning.
                    if let message = try? ClientMessage(damaged) {
                        #expect(try ClientMessage(#require(message.frame)) == message)
                    }
                    if let message = try? AgentMessage(damaged) {
                        #expect(try AgentMessage(message.frame) == message)
                    }
                }
            }
        }
    }

    @Test("A message of the wrong direction is an unknown type")
    func wrongDirection() {
        #expect(throws: ProtocolFault.unknownType(50)) {
            try ClientMessage(Frame(.done, payload: [UInt8](repeating: 0, count: 16)))
        }
        #expect(throws: ProtocolFault.unknownType(10)) { try AgentMessage(Frame(.ping)) }
    }

    @Test("Data is not empty and comes on the streams of its direction")
    func streams() {
        #expect(throws: ProtocolFault.stream) { try ClientMessage(Frame(.data, stream: 1, payload: [1])) }
        #expect(throws: ProtocolFault.stream) { try AgentMessage(Frame(.data, stream: 0, payload: [1])) }
        #expect(throws: ProtocolFault.length) { try ClientMessage(Frame(.data, payload: [])) }
        #expect(throws: ProtocolFault.length) { try AgentMessage(Frame(.data, stream: 1, payload: [])) }
        #expect(ClientMessage.data([]).frame == nil)
        #expect(ClientMessage.data([UInt8](repeating: 0, count: 65_537)).frame == nil)
    }

    @Test("Numbers outside of their range are refused")
    func ranges() {
        #expect(throws: ProtocolFault.invalidValue) { try ClientMessage(Frame(.signal, payload: [0, 0, 0, 0])) }
        #expect(throws: ProtocolFault.invalidValue) { try ClientMessage(Frame(.signal, payload: [65, 0, 0, 0])) }
        #expect(throws: ProtocolFault.invalidValue) { try AgentMessage(Frame(.credit, payload: [1, 0, 4, 0])) }
        #expect(throws: ProtocolFault.invalidValue) {
            try AgentMessage(Frame(.exit, payload: [2, 0, 0, 0, 0, 0, 0, 0]))
        }
        #expect(throws: ProtocolFault.invalidValue) {
            try AgentMessage(Frame(.exit, payload: [0, 0, 0, 0, 0, 1, 0, 0]))
        }
        #expect(throws: ProtocolFault.invalidValue) {
            try AgentMessage(Frame(.error, payload: [10, 0, 0, 0, 0, 0, 0, 0]))
        }
        #expect(throws: ProtocolFault.length) {
            try AgentMessage(Frame(.error, payload: [1] + [UInt8](repeating: 0, count: 8 + 1024)))
        }
    }

    @Test("An exit code is the status, or 128 and the signal's number")
    func exitCodes() {
        #expect(CommandEnd.exited(3).code == 3)
        #expect(CommandEnd.signalled(9).code == 137)
    }
}
