import Aerie
import GuestToolchain
import HostSystem
import TestSupport
import Testing

/// The calls of a machine in this process for tasks.
@Suite("Machines for tasks") struct AsyncMachineTests {
    @Test("A sequence has each state of a life once, and ends with it")
    func states() async throws {
        let firmware = try SmallFirmware.sleeping()
        let machine = try VirtualMachine(firmware.configuration)
        let states = machine.states
        try await machine.start()
        try await machine.pause()
        try await machine.resume()
        #expect(try await machine.stop(within: .zero) == .stopped)
        var found: [VirtualMachine.State] = []
        for await state in states { found.append(state) }
        #expect(
            found == [.created, .starting, .running, .paused, .running, .stopping, .ended(.stopped)])
        // Behind the end, a sequence has that state only.
        #expect(await life(of: machine) == [.ended(.stopped)])
        #expect(try await machine.outcome == .stopped)
    }

    @Test("A task that is cancelled does not wait for the end any more, and the machine goes on")
    func cancelledWait() async throws {
        let firmware = try SmallFirmware.sleeping()
        let machine = try VirtualMachine(firmware.configuration)
        try await machine.start()
        let wait = Task { try await machine.outcome }
        let stop = Task { try await machine.stop(within: .seconds(1000)) }
        wait.cancel()
        stop.cancel()
        for task in [wait, stop] {
            let error = await #expect(throws: AerieError.self) { try await task.value }
            #expect(error?.category == .cancelled)
        }
        #expect(machine.currentState == .running)
        machine.kill()
        #expect(try await machine.outcome == .stopped)
    }

    @Test("A machine that is dropped or killed before its start ends its sequences and consoles")
    func neverStarted() async throws {
        let firmware = try SmallFirmware.sleeping()
        var machine: VirtualMachine? = try VirtualMachine(firmware.configuration)
        var states = machine?.states.makeAsyncIterator()
        let console = try machine?.openConsole()
        #expect(await states?.next() == .created)
        machine = nil
        #expect(await states?.next() == nil)
        #expect(try await console?.output.collect(upTo: 1).bytes == [])
        let killed = try VirtualMachine(firmware.configuration)
        let session = try killed.openConsole()
        killed.kill()
        #expect(try await killed.outcome == .stopped)
        #expect(try await session.output.collect(upTo: 1).bytes == [])
        await #expect(throws: AerieError.self) { try await session.send("x") }
    }

    @Test("Sessions of a console have the same output, and one that is closed takes no input")
    func consoles() async throws {
        let program = try await onOwnThread { try BareProgram(["runtime.S", "guest.c", "echo.c"]) }
        let machine = try VirtualMachine(program.configuration)
        let (first, second) = (try machine.openConsole(), try machine.openConsole())
        try await machine.start()
        try await first.send("some ")
        first.close()
        await #expect(throws: AerieError.self) { try await first.send("x") }
        try await second.send("text\n")
        #expect(try await machine.outcome == .poweredOff)
        #expect(try await second.output.collect(upTo: 100).bytes == Array("some text\n".utf8))
        // What is kept comes first, also behind the end.
        #expect(try await machine.openConsole().output.collect(upTo: 100).bytes == Array("some text\n".utf8))
        let own = try VirtualMachine(program.configuration, console: RecordingConsole())
        #expect(throws: AerieError.self) { try own.openConsole() }
    }

    @Test("A saved guest goes on in another machine")
    func saving() async throws {
        let program = try await onOwnThread { try BareProgram(["runtime.S", "guest.c", "echo.c"]) }
        let machine = try VirtualMachine(program.configuration)
        try await machine.start()
        await #expect(throws: AerieError.self) { try await machine.save(to: program.path("saved")) }
        try await machine.pause()
        try await machine.save(to: program.path("saved"))
        machine.kill()
        #expect(try await machine.outcome == .stopped)
        let restored = try VirtualMachine(program.configuration)
        try await restored.start(restoring: program.path("saved"))
        try await restored.openConsole().send("x\n")
        #expect(try await restored.outcome == .poweredOff)
    }
}

/// Bytes between threads and tasks.
@Suite("Byte pipes") struct BytePipeTests {
    @Test("A writer suspends while the pipe is full, and a reader while it is empty")
    func bounded() async throws {
        let pipe = BytePipe(limit: 3)
        let bytes = [UInt8](0..<100)
        async let written: Void = {
            try await pipe.send(bytes)
            pipe.finish()
        }()
        var found: [UInt8] = []
        while let piece = try await pipe.next() {
            #expect((1...3).contains(piece.count))
            found += piece
        }
        try await written
        #expect(found == bytes)
        #expect(pipe.isAtEnd)
        await #expect(throws: AerieError.self) { try await pipe.send([1]) }
    }

    @Test("A cancelled reader and a cancelled writer give up, and the bytes stay")
    func cancelled() async throws {
        let pipe = BytePipe(limit: 2)
        let reader = Task { try await pipe.next() }
        reader.cancel()
        await #expect(throws: AerieError.self) { try await reader.value }
        let writer = Task { try await pipe.send([1, 2, 3]) }
        #expect(await Patience.wait { pipe.hasBytes })
        writer.cancel()
        await #expect(throws: AerieError.self) { try await writer.value }
        #expect(pipe.read(limit: 10) == [1, 2])
    }

    @Test("A pipe that is pushed to keeps the newest bytes; one that nobody reads takes and drops all")
    func pushed() async throws {
        let pipe = BytePipe(limit: 4)
        pipe.push([1, 2, 3])
        pipe.push([4, 5])
        #expect(pipe.read(limit: 10) == [3, 4, 5])
        pipe.push([UInt8](0..<10))
        #expect(pipe.read(limit: 10) == [6, 7, 8, 9])
        pipe.close()
        #expect([1, 2, 3, 4, 5].withUnsafeBytes { pipe.offer($0) } == 5 * MemoryLayout<Int>.size)
        #expect(try await pipe.next() == nil)
        let failing = BytePipe(limit: 4)
        failing.push([1])
        failing.finish(AerieError(.connectionLost, asked: "a", found: "b"))
        #expect(try await failing.next() == [1])
        let error = await #expect(throws: AerieError.self) { try await failing.next() }
        #expect(error?.category == .connectionLost)
    }

    @Test("Lines lose their ends, and a line without an end comes in parts")
    func lines() async throws {
        let pipe = BytePipe(limit: 1 << 20)
        pipe.push(Array("a\r\n\nb\r".utf8))
        pipe.push(Array("c\n".utf8) + [UInt8](repeating: 0x78, count: 65_537))
        pipe.finish()
        var found: [String] = []
        for try await line in ByteStream(pipe).lines { found.append(line) }
        #expect(found.prefix(3) == ["a", "", "b\rc"])
        #expect(found.dropFirst(3).map(\.utf8.count).reduce(0, +) == 65_537)
    }
}
