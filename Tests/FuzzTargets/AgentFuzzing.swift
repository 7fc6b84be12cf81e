internal import AgentProtocol
internal import AgentTestSupport
internal import TarStream

/// The entries for what the guest's agent and its client read from each other.
enum AgentFuzzing {
    /// Pieces that the bytes come in: a message may be cut anywhere.
    private static let piece = 61

    static func requests(_ bytes: [UInt8]) {
        frames(bytes) { (frame) throws(ProtocolFault) in
            let message = try ClientMessage(frame)
            guard let again = message.frame else { preconditionFailure("a message that was read cannot be written") }
            precondition((try? ClientMessage(again)) == message, "a message changes by being written")
        }
    }

    static func answers(_ bytes: [UInt8]) {
        frames(bytes) { (frame) throws(ProtocolFault) in
            let message = try AgentMessage(frame)
            precondition((try? AgentMessage(message.frame)) == message, "a message changes by being written")
        }
    }

    private static func frames(_ bytes: [UInt8], _ body: (Frame) throws(ProtocolFault) -> Void) {
        var decoder = FrameDecoder()
        for start in stride(from: 0, to: bytes.count, by: piece) {
            decoder.append(Array(bytes[start..<min(start + piece, bytes.count)]))
            do throws(ProtocolFault) {
                while let frame = try decoder.next() {
                    precondition(frame.payload.count <= frame.type.largestPayload, "a payload exceeds its bound")
                    try body(frame)
                }
            } catch {
                return
            }
        }
    }

    static func tar(_ bytes: [UInt8]) {
        var reader = TarReader()
        var size: UInt64 = 0
        var end: UInt64 = 0
        for start in stride(from: 0, to: bytes.count, by: 509) {
            reader.append(Array(bytes[start..<min(start + 509, bytes.count)]))
            do throws(TarFault) {
                while let event = try reader.next() {
                    switch event {
                    case .member(let member):
                        precondition(!member.path.isEmpty, "a member has no name")
                        size = member.size
                        end = 0
                    case .data(let offset, let data):
                        precondition(offset >= end && !data.isEmpty, "data overlap")
                        end = offset + UInt64(data.count)
                        precondition(end <= size, "data exceed their file")
                    case .memberEnd, .archiveEnd: break
                    }
                }
            } catch {
                return
            }
        }
        try? reader.finish()
    }
}
