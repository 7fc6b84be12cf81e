import Foundation
import GuestMemory
import GuestToolchain
import HostSystem
import TestSupport
import Testing

@testable import Aerie

/// Saving into a state and a memory of its own, which a new machine maps.
@Suite("Machines saved with their memory in a file of its own")
struct SnapshotTests {
    private let directory = TemporaryDirectory()
    private let firmware: SmallFirmware

    init() throws { firmware = try SmallFirmware.busy() }

    private func file(_ name: String) throws -> FileDescriptor {
        try FileDescriptor(path: directory.path(name), flags: O_RDWR | O_CREAT, mode: 0o600)
    }

    /// - Returns: whether the machine was running.
    @discardableResult
    private func save(_ name: String, _ machine: VirtualMachine) throws -> Bool {
        let (state, memory) = (try file("\(name).state").release(), try file("\(name).memory").release())
        let code = try file("\(name).code").release()
        defer { for descriptor in [state, memory, code] { close(descriptor) } }
        let report = try machine.save(state: state, memory: memory)
        try machine.saveCode(code)
        return report.wasRunning
    }

    private func saved(_ name: String) throws {
        let machine = try VirtualMachine(firmware.configuration, console: RecordingConsole())
        try machine.start()
        try machine.pause()
        try save(name, machine)
        machine.kill()
        #expect(machine.wait() == .stopped)
    }

    private func restored(_ name: String, engine: Configuration.Engine) throws -> VirtualMachine {
        let memory = try file("\(name).memory")
        let state = try file("\(name).state")
        var services = HostServices()
        services.memory = SavedMemoryFiles(memory: memory.rawValue)
        let code = try file("\(name).code")
        services.code = code.rawValue
        var configuration = firmware.configuration
        configuration.engine = engine
        let machine = try VirtualMachine(
            configuration, console: RecordingConsole(), services: services, log: .silent)
        try machine.start(restoring: state.rawValue, except: [])
        return machine
    }

    private func check(_ name: String) -> String? {
        do {
            let (state, memory) = (try file("\(name).state").release(), try file("\(name).memory").release())
            defer {
                close(state)
                close(memory)
            }
            try VirtualMachine.checkSnapshot(state: state, memory: .init(memory: memory), asked: "it")
            return nil
        } catch {
            return "\(error)"
        }
    }

    @Test("A machine goes on from it on either engine, again and again, and is saved from there", arguments: [1, 2])
    func chain(round: Int) throws {
        try saved("a0")
        for step in 1...3 {
            let machine = try restored("a\(step - 1)", engine: (step + round) % 2 == 0 ? .interpret : .auto)
            #expect(machine.currentState == .running)
            try machine.pause()
            try save("a\(step)", machine)
            machine.kill()
            #expect(machine.wait() == .stopped)
            #expect(check("a\(step)") == nil)
        }
        // The guest writes nothing: the memory stays as it was.
        #expect(try directory.contents(directory.path("a3.memory")) == directory.contents(directory.path("a0.memory")))
    }

    #if arch(x86_64)
        @Test("Generated code goes along, also from a machine that has only what came along")
        func code() throws {
            var configuration = firmware.configuration
            configuration.engine = .translate
            let machine = try VirtualMachine(configuration, console: RecordingConsole())
            try machine.start()
            var number = 0
            let isThere = try Patience.wait {
                number += 1
                try machine.pause()
                try save("k\(number)", machine)
                try machine.resume()
                return try directory.contents(directory.path("k\(number).code")).count > 0
            }
            #expect(isThere)
            machine.kill()
            #expect(machine.wait() == .stopped)
            for next in ["l", "m"] {
                let machine = try restored(next == "l" ? "k\(number)" : "l", engine: .translate)
                try machine.pause()
                try save(next, machine)
                #expect(try directory.contents(directory.path("\(next).code")).count > 0)
                machine.kill()
                #expect(machine.wait() == .stopped)
            }
            // The interpreter has no use for it.
            let interpreted = try restored("m", engine: .interpret)
            #expect(interpreted.currentState == .running)
            interpreted.kill()
            #expect(interpreted.wait() == .stopped)
        }
    #endif

    @Test("An altered byte anywhere in the memory is found, with its block")
    func altered() throws {
        try saved("b")
        let path = directory.path("b.memory")
        let size = try directory.contents(path).count
        for offset in [0, 1, 65535, 65536, 1 << 20, size / 2 + 3, size - 1] {
            let memory = try file("b.memory")
            var byte: [UInt8] = [0]
            _ = try byte.withUnsafeMutableBytes { try memory.read(at: UInt64(offset), into: $0) }
            byte[0] ^= 0x10
            try byte.withUnsafeBytes { try memory.writeAll(at: UInt64(offset), $0) }
            let block = offset / 65536 * 65536
            #expect(
                check("b")
                    == "it: the block of 64K at offset \(block) has other contents than those saved; remove the snapshot; "
                    + "it cannot be used")
            byte[0] ^= 0x10
            try byte.withUnsafeBytes { try memory.writeAll(at: UInt64(offset), $0) }
            #expect(check("b") == nil)
        }
        try file("b.memory").truncate(to: UInt64(size - 1))
        #expect(check("b")?.contains("it has \(size - 1) bytes instead of \(size)") == true)
        #expect(throws: AerieError.self) { try restored("b", engine: .interpret) }
    }

    @Test("A state that is cut off or altered anywhere is refused, and the machine ends")
    func damagedState() throws {
        try saved("c")
        let path = directory.path("c.state")
        let whole = try directory.contents(path)
        var random = SeededGenerator(seed: 15)
        for _ in 0..<40 {
            var bytes = whole
            if Bool.random(using: &random) {
                bytes.removeLast(Int.random(in: 1...whole.count, using: &random))
            } else {
                // The runs behind the state have checksums, too, but for the numbers that end them.
                bytes[Int.random(in: 0..<(whole.count - 24), using: &random)] ^= UInt8.random(
                    in: 1...255, using: &random)
            }
            _ = try directory.file("c.state", bytes)
            #expect(check("c") != nil || bytes.count < whole.count)
            #expect(throws: AerieError.self) { try restored("c", engine: .interpret) }
        }
        _ = try directory.file("c.state", whole)
        let machine = try restored("c", engine: .interpret)
        machine.kill()
        #expect(machine.wait() == .stopped)
    }

    @Test(
        "A machine that writes all the time is saved while it runs: its memory is that of the moment at which it stood still",
        arguments: [Configuration.Engine.interpret, .translate])
    func running(engine: Configuration.Engine) throws {
        let writing = try SmallFirmware.writing()
        defer { withExtendedLifetime(writing) {} }
        var configuration = writing.configuration
        configuration.engine = engine
        let machine = try VirtualMachine(configuration, console: RecordingConsole())
        try machine.start()
        defer {
            machine.kill()
            _ = machine.wait()
        }
        let memory = machine.board.memory
        let first = memory.ranges[0].base + 0x40_0000
        #expect(Patience.wait { (try? memory.load(UInt64.self, at: first)) ?? 0 > 0 })
        for round in 1...4 {
            #expect(try save("r\(round)", machine))
            #expect(machine.currentState == .paused)
            let bytes = try Array(directory.contents(directory.path("r\(round).memory")))
            #expect(bytes.count == Int(memory.size))
            let isSame = bytes.withUnsafeBytes { memcmp($0.baseAddress!, memory.hostBase, bytes.count) == 0 }
            #expect(isSame)
            #expect(check("r\(round)") == nil)
            let counter = try memory.load(UInt64.self, at: first)
            try machine.resume()
            #expect(Patience.wait { (try? memory.load(UInt64.self, at: first)) ?? 0 > counter })
        }
        // Of a paused machine, the same comes out.
        try machine.pause()
        #expect(try !save("p1", machine))
        #expect(try !save("p2", machine))
        #expect(try directory.contents(directory.path("p1.memory")) == directory.contents(directory.path("p2.memory")))
    }

    @Test("A machine whose save fails goes on, and its writes are logged no more")
    func failedSave() throws {
        let machine = try VirtualMachine(firmware.configuration, console: RecordingConsole())
        try machine.start()
        defer {
            machine.kill()
            _ = machine.wait()
        }
        let state = try file("f.state").release()
        let full = open("/dev/full", O_RDWR)
        defer {
            close(state)
            close(full)
        }
        #expect(throws: AerieError.self) { try machine.save(state: state, memory: full) }
        #expect(machine.currentState == .running)
        #expect(throws: AerieError.self) { try machine.transfer(state: state, stream: full, TransferOptions()) }
        #expect(machine.currentState == .running)
        #expect(try save("f", machine))
        #expect(check("f") == nil)
    }

    @Test(
        "Memory that is sent arrives as it is, and not with another byte, in whatever way it is sent",
        arguments: [
            TransferOptions(), TransferOptions(isCompressed: true),
            // The guest writes faster than this.
            TransferOptions(bandwidth: 64 << 20), TransferOptions(bandwidth: 16 << 20, isCompressed: true),
        ])
    func transfer(options: TransferOptions) throws {
        let writing = try SmallFirmware.writing()
        let machine = try VirtualMachine(writing.configuration, console: RecordingConsole())
        try machine.start()
        defer {
            machine.kill()
            _ = machine.wait()
        }
        let stream = try file("t.stream").release()
        let state = try file("t.state").release()
        let copy = try file("t.memory").release()
        defer { for file in [stream, state, copy] { close(file) } }
        let report = try machine.transfer(state: state, stream: stream, options)
        #expect(report.wasRunning)
        #expect(report.sentCount == UInt64(lseek(stream, 0, Int32(SEEK_END))))
        #expect(machine.state.withLock { $0.dutyCycle } == nil)
        lseek(stream, 0, Int32(SEEK_SET))
        let frames = TransferStream(input: stream, output: -1)
        let received = try TransferredMemory(file: copy, size: machine.board.memory.size)
        #expect(throws: TransferError.ended) {
            while true {
                let (frame, data) = try frames.receive()
                try received.store(frame, data)
            }
        }
        try VirtualMachine.checkTransfer(state: state, memory: received, asked: "it")
        let bytes = try Array(directory.contents(directory.path("t.memory")))
        let isSame = bytes.withUnsafeBytes { memcmp($0.baseAddress!, machine.board.memory.hostBase, bytes.count) == 0 }
        #expect(bytes.count == Int(machine.board.memory.size) && isSame)
        let page = [UInt8](repeating: 9, count: MemoryImage.blockSize)
        try page.withUnsafeBytes {
            try received.store(TransferFrame(.data, file: 1, offset: 0, count: UInt64($0.count)), $0)
        }
        #expect(throws: AerieError.self) {
            try VirtualMachine.checkTransfer(state: state, memory: received, asked: "it")
        }
    }

    @Test("A guest that writes as fast as it is copied is slowed down step by step, until little is left")
    func slowGuest() throws {
        let memory = try GuestMemory(ranges: [(0, 32 << 20)], logsWrites: true)
        guard let log = memory.writeLog else { return }
        // What the guest writes until the next round.
        var written = 32 << 20
        func write() {
            memset(memory.hostBase, 7, written)
        }
        final class Sink: MemorySink {
            var onRound: () -> Void = {}
            func store(_ bytes: UnsafeRawBufferPointer, at offset: UInt64, isZero: Bool) {
                if offset == 0 { onRound() }
            }
        }
        let sink = Sink()
        let copier = MemoryCopier(memory, to: sink)
        #expect(try log.begin())
        defer { log.end() }
        write()
        // Each round writes again what it copies.
        sink.onRound = write
        var steps: [Int] = []
        let isEnough = try copier.copyRunning(log, until: 4 << 20) {
            steps.append(written)
            written /= 2
            return true
        }
        #expect(isEnough)
        #expect(steps == [32 << 20, 16 << 20, 8 << 20, 4 << 20])
    }

    @Test("The pace of a limited connection makes up for at most a tenth of a second")
    func pace() {
        var pace = TransferPace(bandwidth: 1_000_000)
        let begun = HostClock.monotonic() + 1_000_000_000
        // Late by a second: as if a tenth were unused.
        #expect(pace.note(count: 100_000, now: begun) == begun)
        #expect(pace.note(count: 50_000, now: begun) == begun + 50_000_000)
        #expect(pace.note(count: 50_000, now: begun) == begun + 100_000_000)
        #expect(pace.note(count: 1, now: begun + 100_000_000) == begun + 100_001_000)
    }

    @Test("Compressed data that is damaged or longer than a frame's is refused")
    func hostileCompression() throws {
        let path = directory.path("z")
        let file = try FileDescriptor(path: path, flags: O_RDWR | O_CREAT, mode: 0o600)
        let zeroes = [UInt8](repeating: 0, count: TransferFrame.longestData)
        let stream = TransferStream(input: file.rawValue, output: file.rawValue, TransferOptions(isCompressed: true))
        try zeroes.withUnsafeBytes { try stream.send($0, count: $0.count, of: 1, at: 0) }
        lseek(file.rawValue, 0, SEEK_SET)
        let (frame, data) = try stream.receive()
        #expect(frame == TransferFrame(.data, file: 1, offset: 0, count: UInt64(TransferFrame.longestData)))
        #expect(data.elementsEqual(zeroes))
        // What a compressor makes of more than a frame's length, and bytes that no compressor makes.
        let tooLong = [0x28, 0xB5, 0x2F, 0xFD, 0xA0, 0x01, 0x00, 0x10, 0x00, 0x03, 0x00, 0x80, 0x00] as [UInt8]
        for bytes in [tooLong, [1, 2, 3]] {
            try file.truncate(to: 0)
            lseek(file.rawValue, 0, SEEK_SET)
            try bytes.withUnsafeBytes {
                try stream.send(TransferFrame(.compressed, file: 1, offset: 0, count: UInt64($0.count)), $0)
            }
            lseek(file.rawValue, 0, SEEK_SET)
            #expect(throws: TransferError.damaged("the compressed data of a frame cannot be read")) {
                try stream.receive()
            }
        }
    }

    @Test("Frames that are damaged, of another form, or beyond the memory are refused")
    func hostileFrames() throws {
        let memory = try TransferredMemory(file: try file("h.memory").release(), size: 0x1_8000)
        let block = [UInt8](repeating: 1, count: MemoryImage.blockSize)
        try block.withUnsafeBytes { block in
            func store(_ offset: UInt64, _ count: Int) throws {
                let data = UnsafeRawBufferPointer(rebasing: block[..<count])
                try memory.store(TransferFrame(.data, file: 1, offset: offset, count: UInt64(count)), data)
            }
            try store(0, 0x1_0000)
            try store(0x1_0000, 0x8000)
            for (offset, count) in [(0, 0x8000), (0x8000, 0x1_0000), (0x1_0000, 0x1_0000), (0x2_0000, 0x8000)] {
                #expect(throws: TransferError.self) { try store(UInt64(offset), count) }
            }
        }
        let stream = try file("h.stream").release()
        defer { close(stream) }
        let sender = TransferStream(input: -1, output: stream)
        try sender.send(.offer, text: Array("abc".utf8))
        let whole = try Array(directory.contents(directory.path("h.stream")))
        #expect(whole.count == TransferFrame.headSize + 3)
        for index in whole.indices {
            var bytes = whole
            bytes[index] ^= 0x20
            let path = try directory.file("h.damaged", bytes)
            let damaged = open(path, O_RDONLY)
            defer { close(damaged) }
            #expect(throws: TransferError.self) { try TransferStream(input: damaged, output: -1).receive(.offer) }
        }
        lseek(stream, 0, Int32(SEEK_SET))
        #expect(try TransferStream(input: stream, output: -1).receive(.offer) == Array("abc".utf8))
    }

    @Test("A machine that has never started, or has ended, is not saved")
    func wrongStates() throws {
        let machine = try VirtualMachine(firmware.configuration, console: RecordingConsole())
        #expect(throws: AerieError.self) { try save("d", machine) }
        try machine.start()
        machine.kill()
        #expect(machine.wait() == .stopped)
        #expect(throws: AerieError.self) { try save("d", machine) }
    }
}
