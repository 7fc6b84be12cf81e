import AerieMachines
import ControlAPI
import Foundation
import GuestToolchain
import Runtime
import TestSupport
import Testing

/// The library's machines in processes of their own, with guests of a few instructions.
@Suite("Machines of the library") struct LibraryMachineTests {
    private let directory = TemporaryDirectory()
    private let store: MachineStore

    init() throws {
        store = try MachineStore(stateDirectory: directory.path("state"), imageDirectory: directory.path("images"))
    }

    private func settings(_ program: Data, _ name: String? = nil) throws -> MachineSettings {
        var configuration = Configuration()
        configuration.firmware = try directory.file("\(UUID().uuidString).bin", program)
        configuration.memory = .mebibytes(16)
        configuration.engine = .interpret
        var settings = MachineSettings(configuration)
        settings.name = name
        return settings
    }

    /// The next state that is not on the way to another one.
    private func next(_ states: inout AsyncStream<VirtualMachine.State>.Iterator) async -> VirtualMachine.State? {
        while let state = await states.next() {
            if state != .starting { return state }
        }
        return nil
    }

    @Test("A sequence has the states of a whole life, and the next one those of the next life")
    func states() async throws {
        let machine = try await store.create(try settings(GuestProgram.echo, "one"))
        var states = machine.states.makeAsyncIterator()
        #expect(await next(&states) == .created)
        try await machine.start()
        let again = await #expect(throws: AerieError.self) { try await machine.start() }
        #expect(again?.found == "it is running already")
        #expect(await next(&states) == .running)
        try await machine.pause()
        #expect(await next(&states) == .paused)
        await #expect(throws: AerieError.self) { try await machine.pause() }
        try await machine.resume()
        #expect(await next(&states) == .running)
        #expect(try await machine.stop(within: .zero) == .stopped)
        #expect(await next(&states) == .ended(.stopped))
        #expect(await states.next() == nil)

        states = machine.states.makeAsyncIterator()
        #expect(await next(&states) == .ended(.stopped))
        try await machine.start()
        #expect(await next(&states) == .running)
        let console = try await machine.openConsole()
        try await console.send("bye\u{4}")
        #expect(try await console.output.collect(upTo: 100).bytes == Array(">bye\u{4}".utf8))
        #expect(await next(&states) == .ended(.poweredOff))
        #expect(try await machine.outcome == .poweredOff)
        try await machine.remove()
        #expect(try await store.machines().isEmpty)
    }

    /// Types at a machine's console, and takes what comes back, whatever kind of machine it is.
    private func talk(to machine: some GuestMachine) async throws -> (String, VirtualMachine.Outcome) {
        try await machine.start()
        let (first, second) = (try await machine.openConsole(), try await machine.openConsole())
        try await first.send("a")
        var text = ""
        for try await piece in second.output {
            text += String(decoding: piece, as: UTF8.self)
            if text == ">a" { break }
        }
        try await second.send("b\u{4}")
        let (bytes, isTruncated) = try await first.output.collect(upTo: 4)
        #expect(!isTruncated)
        return (String(decoding: bytes, as: UTF8.self), try await machine.outcome)
    }

    @Test("The same code talks to a guest in this process and in one of its own")
    func bothKinds() async throws {
        let settings = try settings(GuestProgram.echo)
        let (text, outcome) = try await talk(to: try VirtualMachine(settings.configuration))
        #expect(text == ">ab\u{4}")
        #expect(outcome == .poweredOff)
        let (jailedText, jailedOutcome) = try await talk(to: try await store.create(settings))
        #expect(jailedText == ">ab\u{4}")
        #expect(jailedOutcome == .poweredOff)
    }

    @Test("The end of a machine whose processes are killed is told, and so is a guest's own failure")
    func deaths() async throws {
        let failing = try await store.create(try settings(GuestProgram.fail42))
        try await failing.start()
        #expect(try await failing.outcome == .failed(code: 42))
        for victim in [\MachineStatus.process, \MachineStatus.monitor] {
            let machine = try await store.create(try settings(GuestProgram.sleep))
            try await machine.start()
            async let outcome = machine.outcome
            let status = try StateDirectory(path: directory.path("state/machines")).find(machine.id).status
            kill(status[keyPath: victim], SIGKILL)
            guard case .crashed(let reason) = try await outcome else {
                Issue.record("the outcome is no crash")
                continue
            }
            #expect(reason.contains("signal 9") || reason.contains("killed"), "\(reason)")
        }
    }

    private struct Failure: Error {}

    @Test(
        "A machine of a scope is gone behind it, whether that returns, throws or is cancelled, and when it ends first")
    func scopes() async throws {
        let settings = try settings(GuestProgram.sleep)
        let id = try await store.withMachine(settings) { machine in
            #expect(await machine.currentState == .running)
            return machine.id
        }
        await #expect(throws: AerieError.self) { try await store.machine(id) }
        await #expect(throws: Failure.self) { try await store.withMachine(settings) { _ in throw Failure() } }
        let (started, continuation) = AsyncStream<Void>.makeStream()
        let task = Task {
            try await store.withMachine(settings) { machine in
                continuation.yield()
                return try await machine.outcome
            }
        }
        for await _ in started { break }
        task.cancel()
        await #expect(throws: AerieError.self) { try await task.value }
        let echo = try self.settings(GuestProgram.powerOff)
        let outcome = try await store.withMachine(echo) { try await $0.outcome }
        #expect(outcome == .poweredOff)
        #expect(try await store.machines().isEmpty)
        // The monitor of a machine that has ended by itself may still remove its files.
        let places = directory.path("state/machines")
        let isClear = try await Patience.wait {
            try FileManager.default.contentsOfDirectory(atPath: places) == [".lock"]
        }
        #expect(isClear)
    }

    @Test("Snapshots are restored and machines forked, and each copy goes on where the first one was")
    func copies() async throws {
        let machine = try await store.create(try settings(GuestProgram.echo, "one"))
        try await machine.start()
        let snapshot = try await machine.snapshot(as: "saved")
        #expect(snapshot.hasState)
        #expect(snapshot.machineName == "one")
        #expect(try await store.snapshots().map(\.name) == ["saved"])
        let restored = try await store.snapshot("saved").restore(as: "two")
        let copies = try await machine.fork(2, prefix: "kid")
        #expect(copies.map(\.name) == ["kid-1", "kid-2"])
        try await snapshot.remove()
        for machine in [machine, restored] + copies {
            let console = try await machine.openConsole()
            try await console.send("\u{4}")
            #expect(try await machine.outcome == .poweredOff, "\(machine.name)")
            try await machine.remove()
        }
        await #expect(throws: AerieError.self) { try await machine.fork(0) }
        #expect(try await store.machines().isEmpty)
    }

    @Test("A program that is missing, a name that is taken and settings out of range are one clear line each")
    func refusals() async throws {
        let absent = try MachineStore(stateDirectory: directory.path("state"), program: "/no/such/aerie-vm")
        let settings = try settings(GuestProgram.sleep, "one")
        let machine = try await absent.create(settings)
        let missing = await #expect(throws: AerieError.self) { try await machine.start() }
        #expect(missing?.category == .unavailable)
        #expect(
            missing?.description
                == "starting a machine: /no/such/aerie-vm is not a program that this user can execute; give the path of aerie-vm"
        )
        let taken = await #expect(throws: AerieError.self) { try await store.create(settings) }
        #expect(taken?.found == "there is one already")
        var late = settings
        late.stopTimeout = 86_401
        let outOfRange = await #expect(throws: AerieError.self) { try await store.create(late) }
        #expect(outOfRange?.category == .usage)
        let agent = #expect(throws: AerieError.self) { try machine.agent }
        #expect(agent?.found == "its guest was not started from an image of Aerie, and has no agent")
        let image = await #expect(throws: AerieError.self) { try await store.image("debian") }
        #expect(image?.category == .usage)
        #expect(throws: AerieError.self) { try MachineStore(stateDirectory: "relative") }
        #expect(try await store.machine("one").id == machine.id)
    }
}
