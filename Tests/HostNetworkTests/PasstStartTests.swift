import Foundation
import GuestToolchain
import HostNetwork
import HostSystem
import Synchronization
import TestSupport
import Testing

/// When passt starts: for a guest that goes on from a saved one, whose driver is ready before the machine has an event loop, and for one that
/// boots.
@Suite struct PasstStartTests {
    private final class CountingStarter: PasstStarter {
        let starts = Atomic(0)
        /// Starts in a row that nobody answers in time.
        let unanswered = Atomic(0)
        private let starter: ChildPasstStarter

        init(path: String) { starter = ChildPasstStarter(path: path, arguments: []) }

        func start() throws(SystemError) -> PasstConnection {
            starts.add(1, ordering: .relaxed)
            if unanswered.wrappingSubtract(1, ordering: .relaxed).oldValue > 0 {
                throw SystemError("asking", code: ETIMEDOUT)
            }
            return try starter.start()
        }
    }

    private let directory = TemporaryDirectory()
    private let starter: CountingStarter

    init() throws {
        starter = CountingStarter(
            path: try directory.program("passt", Data("#!/bin/sh\nPATH=/usr/bin:/bin\nexec cat <&3 >&3\n".utf8)))
    }

    private var starts: Int { starter.starts.load(ordering: .relaxed) }

    private func probe(listens: Bool, startsEarly: Bool = false) throws -> BackendProbe<PasstBackend> {
        try BackendProbe(
            PasstBackend(
                name: "network0", path: "passt", listens: listens, startsEarly: startsEarly, starter: starter),
            isSaved: true)
    }

    @Test(arguments: [false, true]) func itIsStartedWithAMachineWhoseGuestIsExpectedToAsk(early: Bool) throws {
        let backend = PasstBackend(name: "network0", path: "passt", listens: true, startsEarly: early, starter: starter)
        let probe = try BackendProbe(backend, isReady: false)
        defer { probe.stop() }
        if early { #expect(Patience.wait { starts == 1 }) } else { usleep(400_000) }
        #expect(starts == (early ? 1 : 0))
        probe.loop.sync { backend.activate([]) }
        #expect(starts == 1)
        // The frames go to the one that runs, and come back from it.
        let frame = [UInt8](repeating: 0xFF, count: 12) + [8, 0] + Self.guest
        #expect(probe.send(frame))
        #expect(probe.receive() == frame)
        #expect(starts == 1)
    }

    private static let guest: [UInt8] = [0xAE, 0, 0, 0, 0, 1]

    private static func arp(sender: [UInt8], target: [UInt8]) -> [UInt8] {
        [UInt8](repeating: 0xFF, count: 6) + guest + [8, 6, 0, 1, 8, 0, 6, 4, 0, 1] + guest + sender
            + [0, 0, 0, 0, 0, 0] + target
    }

    /// - Parameters:
    ///   - source: the last byte of fe80::/64; nil for the unspecified address.
    ///   - group: the last bytes of ff02::/64.
    private static func icmp6(_ type: UInt8, source: UInt8?, group: [UInt8], routerAlert: Bool = false) -> [UInt8] {
        let message = [type] + [UInt8](repeating: 0, count: 23)
        let options: [UInt8] = routerAlert ? [58, 0, 5, 2, 0, 0, 1, 0] : []
        let zeroes = [UInt8](repeating: 0, count: 8)
        let from = source.map { [0xFE, 0x80, 0, 0, 0, 0, 0, 0] + zeroes.dropLast() + [$0] } ?? zeroes + zeroes
        let to = [0xFF, 2, 0, 0, 0, 0, 0, 0] + zeroes.dropLast(group.count) + group
        return [0x33, 0x33, 0, 0, 0, 1] + guest + [0x86, 0xDD, 0x60, 0, 0, 0, 0, UInt8(options.count + 24)]
            + [routerAlert ? 0 : 58, 255] + from + to + options + message
    }

    @Test func itIsStartedByTheFirstFrameThatAsksForAnAnswer() throws {
        let questions = [
            Self.arp(sender: [10, 0, 2, 15], target: [10, 0, 2, 2]), Self.icmp6(135, source: 1, group: [1]),
            Self.icmp6(133, source: 1, group: [2]), [UInt8](repeating: 0xFF, count: 12) + [8, 0] + Self.guest,
        ]
        for question in questions {
            let before = starts
            let probe = try probe(listens: false)
            defer { probe.stop() }
            let announcements = [
                Self.arp(sender: [10, 0, 2, 15], target: [10, 0, 2, 15]), Self.icmp6(136, source: 1, group: [1]),
                Self.icmp6(135, source: nil, group: [1, 0xFF, 0, 0, 1]),
                Self.icmp6(143, source: 1, group: [0x16], routerAlert: true),
            ]
            for frame in announcements { #expect(probe.send(frame)) }
            #expect(starts == before)
            #expect(probe.backend.isLinkUp)
            _ = probe.send(question)
            #expect(starts == before + 1)
        }
    }

    @Test func itIsNotStartedEarlyForADriverThatIsReady() throws {
        let probe = try probe(listens: false, startsEarly: true)
        defer { probe.stop() }
        usleep(400_000)
        #expect(starts == 0)
    }

    @Test func aBusyHostIsAskedAgain() throws {
        starter.unanswered.store(4, ordering: .relaxed)
        let probe = try BackendProbe(PasstBackend(name: "network0", path: "passt", listens: true, starter: starter))
        defer { probe.stop() }
        #expect(Patience.wait { starts == 5 })
        let frame = [UInt8](repeating: 0xFF, count: 12) + [8, 0] + Self.guest
        #expect(probe.send(frame))
        #expect(probe.receive() == frame)
        #expect(probe.links == 0 && probe.backend.isLinkUp)
    }

    @Test func theLinkIsDownWhileTheHostDoesNotAnswer() throws {
        starter.unanswered.store(5, ordering: .relaxed)
        let probe = try BackendProbe(PasstBackend(name: "network0", path: "passt", listens: true, starter: starter))
        defer { probe.stop() }
        #expect(Patience.wait { probe.links == 1 })
        #expect(!probe.backend.isLinkUp)
        #expect(Patience.wait { probe.links == 2 })
        #expect(probe.backend.isLinkUp)
        #expect(starts == 6)
    }

    @Test func itIsStartedAtOnceWhereItListens() throws {
        let probe = try probe(listens: true)
        defer { probe.stop() }
        #expect(Patience.wait { starts > 0 })
    }
}
