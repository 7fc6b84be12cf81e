import Aerie
import ControlAPI
import Foundation
import GuestToolchain
import HostSystem
import Runtime
import TestSupport
import Testing

/// `aerie migrate --post-copy`: the guest goes on at the receiver before all of its memory is there.
@Suite("Post-copy migration") struct PostCopyTests: MigrationSuite {
    let aerie: AerieProcess
    let echo: String
    private let writer: String
    private var target: String { aerie.directory.path("target") }

    init() throws {
        aerie = try AerieProcess()
        echo = try aerie.directory.file("echo", GuestProgram.echo)
        writer = try aerie.directory.file("writer", GuestProgram.writer)
    }

    /// Holds the memory up on its way until the guest has written all of its own again, so that pages are missing at the handover, however
    /// busy the host is.
    private final class Outrunning: Sendable {
        /// Bytes between two stops: each round of the copy has one.
        private static let distance: UInt64 = 16 << 20
        /// Ticks of 10 ms (proc_pid_stat(5)) in which the guest writes its memory some times.
        private static let ticks = 10

        private let machine: Machine
        private let rest = Monitor<UInt64?>(distance)

        init(_ machine: Machine) { self.machine = machine }

        func await(_ side: FrameRelay.Side, _ frame: TransferFrame) {
            guard side == .sender else { return }
            let stops = rest.update { rest in
                if frame.kind == .commit { rest = nil }
                guard let left = rest, frame.kind == .data, frame.file == TransferredFile.memory else { return false }
                rest = left > frame.count ? left - frame.count : Self.distance
                return left <= frame.count
            }
            guard stops else { return }
            let process = machine.status.process
            let end = Self.time(of: process) + Self.ticks
            // What came last may have been on its way when the guest was paused for the handover.
            _ = Patience.wait { Self.time(of: process) >= end || machine.status.state != .running }
        }

        /// What a process has had of the processors, in ticks.
        private static func time(of process: Int32) -> Int {
            let fields = MachineProcesses.status(of: process)
            return fields.count > 11 ? Int(fields[11]) ?? 0 : 0
        }
    }

    /// Starts a guest that writes 32 MiB again and again, and finds out when a page has other contents than it wrote.
    private func startWriter() throws -> Outrunning {
        let words = ["run", "--detach", "--name", "one", "--firmware", writer, "--memory", "64M", "--network", "none"]
        let result = try aerie.run(words)
        try #require(result.code == 0, "\(result.error)")
        try awaitGreeting("one")
        #expect(try echoes("one", "a") == "a")
        return Outrunning(try directory().find("one"))
    }

    private struct Report: Decodable {
        let name: String
        let downtimeMicroseconds: Int?
        let sentBytes: Int
        let postCopyBytes: Int?
    }

    private func migrate(_ words: [String], from environment: [String: String] = [:]) throws -> Report {
        let result = try aerie.run(
            ["migrate", "one", address, "--format", "json"] + words, environment: environment)
        try #require(result.code == 0, "\(result.error)")
        return try JSONDecoder().decode(Report.self, from: Data(result.output.utf8))
    }

    @Test(
        "A guest that writes without end goes on with the same memory",
        arguments: [["always"], ["auto"], ["always", "--compress"]])
    func writing(options: [String]) throws {
        let guest = try startWriter()
        defer { removeEverywhere("one") }
        let receiver = try receiver(at: target)
        let isCompressed = options.contains("--compress")
        let relay = try FrameRelay(at: socket, to: target, isCompressed: isCompressed) { side, frame in
            guest.await(side, frame)
            return .pass
        }
        defer { relay.end() }
        let report = try migrate(["--post-copy"] + options)
        #expect(receiver.end() == 0, "\(receiver.error)")
        #expect(try #require(report.postCopyBytes) > 0)
        #expect(try names() == [] && names(there) == ["one"])
        #expect(try echoes("one", "bc", there) == "bc")
        // It can be saved and moved again.
        let saved = try aerie.run(["snapshot", "create", "one", "s"], environment: there)
        #expect(saved.code == 0, "\(saved.error)")
        #expect(try echoes("one", "d", there) == "d")
    }

    @Test("A guest that idles has nothing left to send, or little")
    func idle() throws {
        try start("one")
        defer { removeEverywhere("one") }
        for (from, to) in [([:], there), (there, [:])] {
            let receiver = try receiver(at: nil, to)
            let report = try migrate(["--post-copy", "auto"], from: from)
            #expect(report.postCopyBytes == nil)
            #expect(receiver.end() == 0, "\(receiver.error)")
            #expect(try echoes("one", "x", to) == "x")
        }
    }

    /// Lets the guest run with a few of the pages that it asks for, so that its memory never comes as a whole.
    private final class Withholding: Sendable {
        private static let most = 100
        private let passed = Monitor<Int?>(nil)

        func verdict(_ side: FrameRelay.Side, _ frame: TransferFrame) -> FrameRelay.Verdict {
            passed.update { passed in
                if frame.kind == .commit { passed = 0 }
                guard let count = passed, side == .sender, [.data, .zeroes].contains(frame.kind) else { return .pass }
                // Other pages are those that nobody has asked for.
                guard frame.count == 4096, count < Self.most else { return .drop }
                passed = count + 1
                return .pass
            }
        }
    }

    @Test("A connection that ends when the guest runs there ends it there, and it stands still here")
    func cut() throws {
        let guest = try startWriter()
        defer { removeEverywhere("one") }
        let receiver = try receiver(at: target)
        let withholding = Withholding()
        let relay = try FrameRelay(at: socket, to: target) { side, frame in
            guest.await(side, frame)
            if side == .receiver, frame.kind == .outcome { return .passAndCut }
            return withholding.verdict(side, frame)
        }
        defer { relay.end() }
        let sent = try aerie.run(["migrate", "one", address, "--post-copy", "always"])
        #expect(sent.code == 74)
        #expect(
            sent.error.contains("it has ended there, and stands still here as it was when it was handed over"),
            "\(sent.error)")
        #expect(receiver.end() == 74)
        #expect(receiver.error.contains("has ended before all of its memory was here"), "\(receiver.error)")
        let lost = try directory(there).find("one").status
        #expect(lost.state == .exited && lost.exitCode == 74)
        #expect(lost.error?.contains("its memory has not come") == true, "\(lost.error ?? "")")
        #expect(state("one") == .paused)
        // The user decides to go back.
        #expect(try aerie.run(["rm", "--force", "one"], environment: there).code == 0)
        #expect(try aerie.run(["resume", "one"]).code == 0)
        #expect(try echoes("one", "x") == "x")
    }

    @Test("A guest that has not run there goes on here; one that has stands still")
    func cutBeforeStart() throws {
        let guest = try startWriter()
        defer { removeEverywhere("one") }
        for isHandedOver in [false, true] {
            let receiver = try receiver(at: target)
            let relay = try FrameRelay(at: socket, to: target) { side, frame in
                guest.await(side, frame)
                guard frame.kind == .commit else { return .pass }
                return isHandedOver ? .passAndCut : .cut
            }
            defer { relay.end() }
            let sent = try aerie.run(["migrate", "one", address, "--post-copy", "always"])
            #expect(sent.code == 74, "\(sent.error)")
            #expect(receiver.end() != 0)
            if sent.error.contains("the machine goes on here") {
                #expect(try names(there) == [])
            } else {
                // It may have run for a moment, with the pages that it had.
                #expect(isHandedOver && sent.error.contains("it has ended there"), "\(sent.error)")
                #expect(state("one") == .paused)
                #expect(try aerie.run(["rm", "--force", "one"], environment: there).code == 0)
                #expect(try aerie.run(["resume", "one"]).code == 0)
            }
            #expect(try echoes("one", "x") == "x")
            relay.end()
            unlink(socket)
        }
    }

    @Test("A sender that did not hear that all has come asks")
    func lostArrival() throws {
        let guest = try startWriter()
        defer { removeEverywhere("one") }
        let receiver = try receiver(at: target)
        let relay = try FrameRelay(at: socket, to: target) { side, frame in
            guest.await(side, frame)
            return frame.kind == .arrived ? .cut : .pass
        }
        defer { relay.end() }
        let sent = try aerie.run(["migrate", "one", address, "--post-copy", "always"])
        #expect(sent.code == 0 && sent.output == "one\n", "\(sent.error)")
        #expect(receiver.end() == 0, "\(receiver.error)")
        #expect(try names() == [] && names(there) == ["one"])
        #expect(try echoes("one", "x", there) == "x")
    }

    @Test("When the machine of either side is killed, the other side says what was lost", arguments: [true, false])
    func killed(atSender: Bool) throws {
        let guest = try startWriter()
        defer { removeEverywhere("one") }
        let receiver = try receiver(at: target)
        let withholding = Withholding()
        let isRunning = Monitor(false)
        let relay = try FrameRelay(at: socket, to: target) { side, frame in
            guest.await(side, frame)
            if side == .receiver, frame.kind == .outcome { isRunning.update { $0 = true } }
            return withholding.verdict(side, frame)
        }
        defer { relay.end() }
        let sender = try RunningProgram(["migrate", "one", address, "--post-copy", "always"], on: aerie)
        try #require(Patience.wait { isRunning.withLock { $0 } })
        // The monitor notes the process when it has started it.
        var process: Int32 = 0
        let isNoted = try Patience.wait {
            process = try directory(atSender ? [:] : there).find("one").status.process
            return process > 0
        }
        try #require(isNoted)
        #expect(kill(process, SIGKILL) == 0)
        #expect(sender.end() != 0)
        #expect(receiver.end() == 74)
        #expect(receiver.error.contains("has ended before all of its memory was here"), "\(receiver.error)")
        #expect(Patience.wait { state("one", there) == .exited })
        if atSender {
            #expect(sender.error.contains("it is lost; 'aerie start' boots it from its disk"), "\(sender.error)")
            #expect(Patience.wait { state("one") == .exited })
        } else {
            #expect(sender.error.contains("it has ended there, and stands still here"), "\(sender.error)")
            #expect(state("one") == .paused)
        }
    }

    @Test("A sender's program that is killed does not hold the machine up")
    func killedProgram() throws {
        let guest = try startWriter()
        defer { removeEverywhere("one") }
        let receiver = try receiver(at: target)
        let isRunning = Monitor(false)
        let relay = try FrameRelay(at: socket, to: target) { side, frame in
            guest.await(side, frame)
            if side == .receiver, frame.kind == .outcome { isRunning.update { $0 = true } }
            return .pass
        }
        defer { relay.end() }
        let sender = try RunningProgram(["migrate", "one", address, "--post-copy", "always"], on: aerie)
        try #require(Patience.wait { isRunning.withLock { $0 } })
        sender.send(SIGKILL)
        #expect(receiver.end() == 0, "\(receiver.error)")
        #expect(try echoes("one", "x", there) == "x")
        // It is the receiver's: nobody can let it go on here.
        _ = sender.end()
        #expect(Patience.wait { (try? names()) == [] || state("one") == .exited })
    }

    @Test("Words that are not known are refused")
    func words() throws {
        try start("one")
        defer { removeEverywhere("one") }
        let refused = try aerie.run(["migrate", "one", address, "--post-copy", "never"])
        #expect(refused.code == 64)
        #expect(
            refused.error == "aerie: --post-copy never: it is not 'auto' or 'always'; give one of them\n")
    }
}
