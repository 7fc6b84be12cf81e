import Foundation
import GuestMemory
import GuestToolchain
import HostSystem
import TestSupport
import Testing
import VirtioDevices

@testable import Aerie

/// Machines that go on in a new one before all of their memory is there, in one process: each engine, and KVM, whose faults are the kernel's.
@Suite("Machines by post-copy") struct PostCopyMachineTests {
    private let directory = TemporaryDirectory()
    private let firmware: SmallFirmware

    init() throws { firmware = try SmallFirmware.writing() }

    private func file(_ name: String) throws -> FileDescriptor {
        try FileDescriptor(path: directory.path(name), flags: O_RDWR | O_CREAT | O_TRUNC, mode: 0o600)
    }

    private static func pair() throws -> (Int32, Int32) {
        var ends: [Int32] = [-1, -1]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
        return (ends[0], ends[1])
    }

    /// What came over a stream until its end.
    private final class Received: @unchecked Sendable {
        // @unchecked: read when the thread that writes has ended.
        let memory: TransferredMemory
        var failure: (any Error)?

        init(_ memory: TransferredMemory) { self.memory = memory }

        func take(from descriptor: Int32) {
            let stream = TransferStream(input: descriptor, output: -1)
            do {
                while true {
                    let (frame, data) = try stream.receive()
                    if frame.kind == .missing {
                        try memory.store(missing: Array(data))
                    } else {
                        try memory.store(frame, data)
                    }
                }
            } catch { failure = error }
        }
    }

    /// Moves a running machine into a new one, which runs when this returns, with all of its memory.
    ///
    /// - Returns: the new machine.
    private func move(
        _ machine: VirtualMachine, _ configuration: Configuration, console: RecordingConsole
    ) throws -> VirtualMachine {
        let memory = try makeMemoryFile(name: "memory", size: 0)
        let list = try makeMemoryFile(name: "missing", size: 0)
        let state = try file("state")
        let mark = try file("mark")
        let received = Received(try TransferredMemory(file: memory.rawValue, size: machine.board.memory.size))
        let (near, far) = try Self.pair()
        let reader = try HostThread(name: "receiver") { received.take(from: far) }
        let options = TransferOptions(postCopy: .always)
        let report = try machine.transfer(state: state.rawValue, stream: near, options)
        close(near)
        reader.join()
        close(far)
        #expect(received.failure as? TransferError == .ended)
        #expect(received.memory.missing == report.missing)
        try VirtualMachine.checkTransfer(state: state.rawValue, memory: received.memory, asked: "it")
        try received.memory.finish(list: list.rawValue)

        let ((input, output), (channel, theirs)) = (try Self.pair(), try Self.pair())
        var services = HostServices()
        services.arrival = ArrivalFiles(
            memory: memory.rawValue, missing: list.rawValue, input: output, output: fcntl(output, F_DUPFD_CLOEXEC, 0),
            channel: theirs, mark: mark.rawValue)
        let copy = try VirtualMachine(configuration, console: console, services: services, log: .silent)
        let pages = try copy.pageReceiver(try #require(services.arrival))
        let sent = Monitor<PagesReport?>(nil)
        let sender = try HostThread(name: "sender") {
            // The guest may not have written since: then the new machine needs nothing more.
            guard !report.missing.isEmpty else { return machine.kill() }
            let report = try? machine.sendPages(report.missing, input: input, output: input, options) { _ in
                machine.kill()
            }
            sent.update { $0 = report }
        }
        try pages.begin { found in Issue.record("the memory is lost: \(found)") }
        try copy.start(restoring: state.rawValue, except: [], isCopy: false) { () throws(AerieError) in
            try pages.noteRunning()
        }
        pages.announce(Array("{}".utf8))
        sender.join()
        if let result = sent.withLock({ $0 }) {
            #expect(result.isComplete && result.failure == nil && result.outcome == Array("{}".utf8))
            var steps = [UInt8](repeating: 0, count: 2)
            #expect(recv(channel, &steps, 2, Int32(MSG_WAITALL)) == 2)
            #expect(steps == [Arrival.Step.complete.rawValue, Arrival.Step.heard.rawValue])
        } else {
            #expect(report.missing.isEmpty)
            machine.kill()
        }
        #expect(try directory.contents(directory.path("mark")) == [Arrival.Mark.complete.rawValue])
        for descriptor in [input, channel] { close(descriptor) }
        #expect(machine.wait() == .stopped)
        return copy
    }

    @Test(
        "A guest that writes finds its memory, moved four times, on either engine",
        arguments: [Configuration.Engine.translate, .interpret])
    func writing(engine: Configuration.Engine) throws {
        var configuration = firmware.configuration
        configuration.engine = engine
        var machine = try VirtualMachine(configuration, console: RecordingConsole())
        try machine.start()
        for _ in 0..<4 {
            // More than a round.
            usleep(100_000)
            machine = try move(machine, configuration, console: RecordingConsole())
            usleep(20_000)
            try machine.pause()
            let base = machine.board.memory.hostBase + (4 << 20)
            let counts = (0..<2048).map { base.load(fromByteOffset: $0 << 12, as: UInt64.self) }
            // One more from page to page, but where the guest is: there, the round before has ended 2048 earlier.
            let steps = zip(counts, counts.dropFirst()).map { Int64($1) - Int64($0) }.filter { $0 != 1 }
            #expect(steps == [] || steps == [-2047] || counts.contains(0))
            try machine.resume()
        }
        machine.kill()
        #expect(machine.wait() == .stopped)
    }

    @Test("Memory behind a gap, which the guest has plugged, is there after a move")
    func growth() throws {
        var configuration = firmware.configuration
        configuration.memoryGrowth = MemoryGrowth(limit: .mebibytes(80), method: .hotplug)
        var machine = try VirtualMachine(configuration, console: RecordingConsole())
        try machine.setMemoryTarget(.mebibytes(40))
        try machine.start()
        let region = try #require(machine.board.growth).base
        for page in 0..<UInt64(512) { try machine.board.memory.store(page + 1, at: region + 5 * page << 12) }
        for _ in 0..<2 {
            usleep(20_000)
            machine = try move(machine, configuration, console: RecordingConsole())
            #expect(machine.board.growth?.status == .init(requested: 24 << 20, plugged: 0))
            for page in 0..<UInt64(512) {
                #expect(try machine.board.memory.load(UInt64.self, at: region + 5 * page << 12) == page + 1)
            }
        }
        machine.kill()
        #expect(machine.wait() == .stopped)
    }

    @Test(
        "A guest under KVM waits for its memory in the kernel",
        .enabled(if: X86Host.refusal == nil, "this host has no KVM for us"))
    func kernel() throws {
        var configuration = Configuration()
        configuration.architecture = .x86_64
        configuration.kernel = try X86Toolchain.program("counting").path
        configuration.memory = .mebibytes(16)
        // Only root, where the host does not allow it.
        guard (try? VirtualMachine.checkPostCopy(configuration)) != nil else { return }
        let whole = RecordingConsole()
        let expected = try VirtualMachine(configuration, console: whole)
        whole.tellToEnd()
        try expected.start()
        #expect(expected.wait() == .poweredOff)

        var console = RecordingConsole()
        var printed = ""
        var machine = try VirtualMachine(configuration, console: console)
        try machine.start()
        for _ in 0..<4 {
            usleep(5000)
            let next = RecordingConsole()
            machine = try move(machine, configuration, console: next)
            printed += console.text
            console = next
        }
        console.tellToEnd()
        #expect(machine.wait() == .poweredOff)
        #expect(printed + console.text == whole.text)
    }
}
