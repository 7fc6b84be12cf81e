import Foundation
import Glibc
import GuestToolchain
import HostNetwork
import HostSystem
import TestSupport
import Testing

/// passt and programs in its place. Each is a shell script that finds the socket as descriptor 3.
@Suite struct PasstBackendTests {
    private let directory = TemporaryDirectory()

    private func start(_ script: String, log: Log = .silent) throws -> BackendProbe<PasstBackend> {
        let path = try directory.program("passt", Data("#!/bin/sh\nPATH=/usr/bin:/bin\n\(script)\n".utf8))
        return try BackendProbe(
            PasstBackend(name: "network0", path: path, arguments: ["--address", "10.0.2.15"]), log: log)
    }

    private static let frame = [UInt8](repeating: 0xFF, count: 6) + (0..<94).map { UInt8($0) }

    @Test func whatTheProgramSendsBackArrives() throws {
        let probe = try start("exec cat <&3 >&3")
        defer { probe.stop() }
        #expect(probe.send(Self.frame))
        #expect(probe.receive() == Self.frame)
    }

    @Test func manyFramesArriveWholeAndInOrder() throws {
        let probe = try start("exec cat <&3 >&3")
        defer { probe.stop() }
        var random = SeededGenerator(seed: 5)
        let frames = (0..<500).map { number in
            let count = number % 50 == 0 ? 65535 : Int.random(in: 14...2000, using: &random)
            return (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ number) }
        }
        var received: [[UInt8]] = []
        for frame in frames {
            // A full socket takes nothing until the other end has read.
            let isSent = Patience.wait {
                while let frame = probe.take() { received.append(frame) }
                return probe.send(frame)
            }
            #expect(isSent)
        }
        while received.count < frames.count, let frame = probe.receive() { received.append(frame) }
        #expect(received == frames)
    }

    @Test func theProgramGetsItsOptionsAndNoneOfOurDescriptors() throws {
        let output = directory.url.appending(path: "words").path
        let probe = try start(
            "echo \"$@\" >\(output).new; ls /proc/self/fd >>\(output).new; mv \(output).new \(output); sleep 60 <&3")
        defer { probe.stop() }
        #expect(Patience.wait { access(output, F_OK) == 0 })
        let words = try String(contentsOfFile: output, encoding: .utf8).split(whereSeparator: \.isWhitespace)
        #expect(words.prefix(5) == ["--foreground", "--fd", "3", "--address", "10.0.2.15"])
        // Standard input, output and error, the socket, and what ls itself opened.
        #expect(Set(words.dropFirst(5)).isSubset(of: ["0", "1", "2", "3", "4"]))
    }

    @Test func aProgramThatEndsTakesTheLinkDownAndIsStartedAgain() throws {
        let messages = Monitor<[String]>([])
        let log = Log(level: .info) { message in messages.update { $0.append(message.text) } }
        let mark = directory.url.appending(path: "second").path
        let probe = try start(
            "[ -e \(mark) ] && exec cat <&3 >&3; touch \(mark); echo 'Cannot find a route' >&2; exit 1", log: log)
        defer { probe.stop() }
        // The first start ends at once; the second one stays, and the link comes back.
        #expect(Patience.wait { probe.links >= 2 && probe.backend.isLinkUp })
        let texts = messages.withLock { $0 }
        #expect(texts.count == 2)
        #expect(texts.first?.contains("Cannot find a route") == true)
        #expect(probe.send(Self.frame))
        #expect(probe.receive() == Self.frame)
    }

    @Test func aProgramThatIsNotThereTakesTheLinkDown() throws {
        let probe = try BackendProbe(
            PasstBackend(name: "network0", path: directory.url.appending(path: "none").path, arguments: []))
        defer { probe.stop() }
        #expect(Patience.wait { probe.links == 1 })
        #expect(!probe.backend.isLinkUp)
        // Frames are lost, as on a wire that is not plugged in.
        #expect(probe.send(Self.frame))
        #expect(probe.take() == nil)
    }

    @Test(arguments: ["\\000\\000\\000\\005hello", "\\377\\377\\377\\377"])
    func aLengthThatNoFrameHasEndsTheConnection(prefix: String) throws {
        let probe = try start("printf '\(prefix)' >&3; exec sleep 60")
        defer { probe.stop() }
        let isDown = Patience.wait {
            _ = probe.take()
            return probe.links >= 1
        }
        #expect(isDown)
    }
}
