import AgentTestSupport
import Testing

@testable import AgentProtocol

@Suite("Frames of the agent's protocol")
struct FrameTests {
    @Test("A frame is its payload's length, type, stream, two zero bytes and the payload")
    func layout() {
        var bytes: [UInt8] = []
        Frame(.data, stream: 2, payload: [7, 8, 9]).append(to: &bytes)
        #expect(bytes == [3, 0, 0, 0, 32, 2, 0, 0, 7, 8, 9])
    }

    @Test("Frames come out whole from pieces of every size")
    func pieces() throws {
        let frames = [
            Frame(.ping), Frame(.data, payload: Array(0...255)), Frame(.end, stream: 1),
            Frame(.error, payload: [UInt8](repeating: 1, count: 700)),
        ]
        var bytes: [UInt8] = []
        for frame in frames { frame.append(to: &bytes) }
        for size in 1...bytes.count {
            var decoder = FrameDecoder()
            var found: [Frame] = []
            for start in stride(from: 0, to: bytes.count, by: size) {
                decoder.append(Array(bytes[start..<min(start + size, bytes.count)]))
                while let frame = try decoder.next() { found.append(frame) }
            }
            #expect(found == frames)
            #expect(decoder.waiting == 0)
        }
    }

    @Test("Headers with unknown types, streams, reserved bits or lengths beyond the bound are refused at once")
    func wrongHeaders() {
        func fault(_ header: [UInt8]) -> ProtocolFault? {
            var decoder = FrameDecoder()
            decoder.append(header)
            do throws(ProtocolFault) {
                _ = try decoder.next()
                return nil
            } catch { return error }
        }
        #expect(fault([0, 0, 0, 0, 13, 0, 0, 0]) == .unknownType(13))
        #expect(fault([0, 0, 0, 0, 32, 3, 0, 0]) == .stream)
        #expect(fault([0, 0, 0, 0, 10, 1, 0, 0]) == .stream)
        #expect(fault([0, 0, 0, 0, 10, 0, 1, 0]) == .reservedBits)
        #expect(fault([0, 0, 0, 0, 10, 0, 0, 1]) == .reservedBits)
        #expect(fault([1, 0, 1, 0, 32, 0, 0, 0]) == .length)
        #expect(fault([0, 0, 1, 0, 32, 0, 0, 0]) == nil)
        #expect(fault([1, 0, 4, 0, 2, 0, 0, 0]) == .length)
        #expect(fault([0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0]) == .length)
        #expect(fault([0, 0, 0, 0, 12, 0, 0]) == nil)
    }

    @Test("Bytes behind the last frame can be taken for a raw stream")
    func rest() throws {
        var bytes: [UInt8] = []
        Frame(.ping).append(to: &bytes)
        var decoder = FrameDecoder()
        decoder.append(bytes + [1, 2, 3])
        #expect(try decoder.next() == Frame(.ping))
        #expect(decoder.takeRest() == [1, 2, 3])
        #expect(decoder.waiting == 0)
    }
}
