import Foundation
import Glibc
import GuestToolchain
import HostNetwork
import HostSystem
import TestSupport
import Testing

@Suite struct SegmentTests {
    private let directory = TemporaryDirectory()

    private func join(_ segment: String = "lan") throws -> BackendProbe<SegmentBackend> {
        try BackendProbe(SegmentBackend(segment: segment, base: directory.url.appending(path: "base").path))
    }

    private func frame(to destination: UInt8, from source: UInt8, _ payload: UInt8) -> [UInt8] {
        let to: [UInt8] = destination == 0xFF ? Array(repeating: 0xFF, count: 6) : [2, 0, 0, 0, 0, destination]
        return to + [2, 0, 0, 0, 0, source, 0x88, 0xB5] + Array(repeating: payload, count: 100)
    }

    @Test func framesGoToAllUntilTheirDestinationIsKnown() throws {
        let members = try (0..<3).map { _ in try join() }
        defer { for member in members { member.stop() } }
        // The members learn of each other from the directory.
        let broadcast = frame(to: 0xFF, from: 1, 7)
        for receiver in members[1...] {
            #expect(Patience.wait { members[0].send(broadcast) && receiver.take() == broadcast })
        }
        for receiver in members[1...] { while receiver.take() != nil {} }
        // Everybody knows by now where address 1 is, so that only its member gets the answer.
        let answer = frame(to: 1, from: 2, 8)
        #expect(members[1].send(answer))
        #expect(members[0].receive() == answer)
        // Where 3 is, nobody knows.
        let unknown = frame(to: 3, from: 1, 9)
        #expect(members[0].send(unknown))
        #expect(members[1].receive() == unknown)
        #expect(members[2].receive() == unknown)
        #expect(members[0].take() == nil)
    }

    @Test func theOffloadsTravelWithAFrame() throws {
        let (sender, receiver) = (try join(), try join())
        defer { sender.stop() }
        defer { receiver.stop() }
        var header = OffloadHeader()
        header.flags = OffloadHeader.needsChecksum
        header.checksumStart = 34
        header.checksumOffset = 16
        var received: OffloadHeader?
        let bytes = frame(to: 0xFF, from: 1, 1)
        let hasArrived = Patience.wait {
            _ = sender.send(bytes, header: header)
            received = receiver.loop.sync { receiver.backend.receive()?.header }
            return received != nil
        }
        #expect(hasArrived)
        #expect(received == header)
    }

    @Test func segmentsOfOtherNamesAreApart() throws {
        let (one, same, other) = (try join("one"), try join("one"), try join("two"))
        defer { for member in [one, same, other] { member.stop() } }
        let bytes = frame(to: 0xFF, from: 1, 1)
        #expect(Patience.wait { one.send(bytes) && same.take() == bytes })
        #expect(other.take() == nil)
    }

    @Test func aMemberThatNeverReadsHoldsNobodyUpForEver() throws {
        let (sender, full) = (try join(), try join())
        defer { sender.stop() }
        defer { full.stop() }
        // The sender learns where the other is.
        let hello = frame(to: 0xFF, from: 2, 0)
        #expect(Patience.wait { full.send(hello) && sender.take() != nil })
        let bytes = frame(to: 2, from: 1, 1)
        // Some frames fit the socket, then one waits, and then they are dropped.
        for _ in 0..<2000 {
            #expect(Patience.wait { sender.send(bytes) })
        }
    }

    @Test func aMemberThatWasKilledIsForgotten() throws {
        let (one, gone) = (try join(), try join())
        defer { one.stop() }
        let hello = frame(to: 0xFF, from: 2, 0)
        #expect(Patience.wait { gone.send(hello) && one.take() != nil })
        gone.stop()
        #expect(one.send(frame(to: 2, from: 1, 1)))
        let late = try join()
        defer { late.stop() }
        let bytes = frame(to: 2, from: 1, 2)
        #expect(Patience.wait { one.send(bytes) && late.take() == bytes })
    }

    @Test func aDirectoryThatOthersCanReadIsRefused() throws {
        let base = directory.url.appending(path: "open").path
        #expect(mkdir(base, 0o755) == 0)
        #expect(chmod(base, 0o755) == 0)
        #expect(throws: SystemError.self) { try SegmentBackend(segment: "lan", base: base) }
    }
}
