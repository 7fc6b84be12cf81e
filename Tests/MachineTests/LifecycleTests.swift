import Aerie
import Foundation
import Testing

@Suite("The life of a machine") struct LifecycleTests {
    private static let load = ["runtime.S", "guest.c", "saving.c"]

    @Test("An illegal transition is an error that names both states")
    func illegalTransitions() throws {
        let program = try BareProgram(Self.load)
        let machine = try VirtualMachine(program.configuration, console: RecordingConsole())
        for (purpose, attempt) in [("pause", machine.pause), ("resume", machine.resume)] {
            do throws(AerieError) {
                try attempt()
                Issue.record("\(purpose) went through")
            } catch {
                #expect(error.asked == "\(purpose) a virtual machine")
                #expect(error.found == "it is created")
            }
        }
        try machine.start()
        #expect(throws: AerieError.self) { try machine.start() }
        #expect(throws: AerieError.self) { try machine.resume() }
        machine.kill()
        #expect(machine.wait() == .stopped)
        #expect(throws: AerieError.self) { try machine.pause() }
    }

    @Test("A paused machine can be killed, and one that was never started, too")
    func killing() throws {
        let program = try BareProgram(Self.load)
        let paused = try VirtualMachine(program.configuration, console: RecordingConsole())
        try paused.start()
        try paused.pause()
        paused.kill()
        #expect(paused.wait() == .stopped)

        let created = try VirtualMachine(program.configuration, console: RecordingConsole())
        created.kill()
        #expect(created.wait() == .stopped)
    }

    @Test("A machine gives its disks free when it has ended, though it is still referred to")
    func disksAreFreed() throws {
        let program = try BareProgram(Self.load)
        let disk = program.path("disk")
        try Data(count: 4096).write(to: URL(filePath: disk))
        var configuration = program.configuration
        configuration.disks = [Disk(path: disk)]
        let first = try VirtualMachine(configuration, console: RecordingConsole())
        try first.start()
        #expect(throws: AerieError.self) { try VirtualMachine(configuration, console: RecordingConsole()) }
        first.kill()
        #expect(first.wait() == .stopped)
        let second = try VirtualMachine(configuration, console: RecordingConsole())
        second.kill()
        #expect(second.wait() == .stopped)
        #expect(first.wait() == .stopped)
    }

    @Test(
        "After a reset the code that was loaded runs, not what it had become",
        arguments: [Configuration.Engine.interpret, .translate])
    func codeAfterReset(engine: Configuration.Engine) throws {
        let program = try BareProgram(["runtime.S", "guest.c", "resetting.c"])
        var configuration = program.configuration
        configuration.engine = engine
        let console = RecordingConsole()
        let machine = try VirtualMachine(configuration, console: console)
        try machine.start()
        #expect(machine.wait() == .poweredOff)
        #expect(console.text == "reset\nreset\nreset\n")
    }
}
