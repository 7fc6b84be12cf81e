import Aerie
import Foundation
import TestSupport
import Testing

@Suite("Saving and restoring a machine") struct SavingTests {
    private static let load = ["runtime.S", "guest.c", "saving.c"]

    /// What the program prints when nothing interrupts it.
    private func undisturbed(_ program: BareProgram) throws -> String {
        let console = RecordingConsole()
        let machine = try VirtualMachine(program.configuration, console: console)
        console.tellToEnd()
        try machine.start()
        #expect(machine.wait() == .poweredOff)
        return console.text
    }

    @Test(
        "A machine saved at random moments under load goes on in a new one as if nothing had happened",
        arguments: [1, 4])
    func roundTripsUnderLoad(harts: Int) throws {
        let program = try BareProgram(Self.load, harts: harts)
        let expected = try undisturbed(program)
        #expect(expected.hasPrefix("........ "))

        var random = SeededGenerator(seed: UInt64(harts))
        let printed = try runMoving(program.configuration, through: program.path("saved"), count: 12) { _ in
            // Up to 20 ms of the guest's work: a moment nobody chose.
            usleep(UInt32(random.next() % 20_000))
        }
        #expect(printed == expected)
    }

    @Test(
        "Controllers of the Advanced Interrupt Architecture lose no interrupt when a machine is saved and goes on",
        arguments: [
            (Configuration.Engine.interpret, 2, Configuration.Interrupts.aia), (.interpret, 4, .aia),
            (.translate, 2, .aia), (.translate, 4, .aia), (.interpret, 4, .aplic), (.translate, 4, .aplic),
        ])
    func interruptsWhileMoving(
        engine: Configuration.Engine, harts: Int, interrupts: Configuration.Interrupts
    ) throws {
        let source = interrupts == .aia ? "aia_harts.c" : "aplic_harts.c"
        let program = try BareProgram(["runtime.S", "guest.c", source], harts: harts, flags: ["-DENDLESS"])
        var configuration = program.configuration
        configuration.engine = engine
        configuration.interrupts = interrupts
        var random = SeededGenerator(seed: UInt64(harts))
        let printed = try runMoving(configuration, through: program.path("saved"), count: 8) { _ in
            usleep(UInt32(random.next() % 20_000))
        }
        #expect(printed == (interrupts == .aia ? "every message arrived\n" : "every interrupt arrived\n"))
        // A machine with other controllers is another one.
        var other = configuration
        other.interrupts = .plic
        #expect(try refusal(other, program.path("saved"))?.category == .badInput)
    }

    @Test(
        "A machine whose memory the host may merge is saved and goes on in a new one as others are",
        .enabled("this host's kernel does not merge pages") { access("/sys/kernel/mm/ksm", F_OK) == 0 })
    func mergedMemory() throws {
        let program = try BareProgram(Self.load)
        var configuration = program.configuration
        configuration.mergesMemory = true
        let printed = try runMoving(configuration, through: program.path("saved"), count: 3) { _ in usleep(5000) }
        #expect(try printed == undisturbed(program))
    }

    @Test("A paused machine stands still, and goes on when it is resumed")
    func pausing() throws {
        let program = try BareProgram(Self.load)
        let expected = try undisturbed(program)
        let console = RecordingConsole()
        let machine = try VirtualMachine(program.configuration, console: console)
        try machine.start()
        try machine.pause()
        let before = console.text
        usleep(50_000)
        #expect(console.text == before)
        console.tellToEnd()
        try machine.resume()
        #expect(machine.wait() == .poweredOff)
        #expect(console.text == expected)
    }

    @Test("A damaged file, one of another machine, and none are refused, and the machine can still be ended")
    func badFiles() throws {
        let program = try BareProgram(Self.load)
        let path = program.path("saved")
        let machine = try VirtualMachine(program.configuration, console: RecordingConsole())
        try machine.start()
        try machine.pause()
        try machine.save(to: path)
        machine.kill()
        #expect(machine.wait() == .stopped)
        let good = [UInt8](try Data(contentsOf: URL(filePath: path)))

        var cases: [[UInt8]] = [[], Array("no machine at all, by far".utf8), Array(good.dropLast(1))]
        for position in stride(from: 8, to: good.count, by: good.count / 40) {
            var damaged = good
            damaged[position] ^= 0x10
            cases.append(damaged)
        }
        for bytes in cases {
            try Data(bytes).write(to: URL(filePath: path))
            #expect(try refusal(program.configuration, path)?.category == .badInput)
        }
        try Data(good).write(to: URL(filePath: path))
        var larger = program.configuration
        larger.memory = .mebibytes(32)
        #expect(try refusal(larger, path)?.category == .badInput)
        var wider = program.configuration
        wider.cpus = 2
        #expect(try refusal(wider, path)?.category == .badInput)
        #expect(try refusal(program.configuration, program.path("nothing"))?.category == .badInput)
    }

    private func refusal(_ configuration: Configuration, _ path: String) throws -> AerieError? {
        let machine = try VirtualMachine(configuration, console: RecordingConsole())
        defer { machine.kill() }
        do throws(AerieError) {
            try machine.start(restoring: path)
            return nil
        } catch {
            return error
        }
    }

    @Test("Saving writes to no file that is there already, and leaves none behind when it fails")
    func savingBesideOthers() throws {
        let program = try BareProgram(Self.load)
        let path = program.path("saved")
        let victim = program.path("victim")
        try Data("precious".utf8).write(to: URL(filePath: victim))
        #expect(symlink(victim, "\(path).\(getpid()).0.partial") == 0)
        let machine = try VirtualMachine(program.configuration, console: RecordingConsole())
        try machine.start()
        try machine.pause()
        try machine.save(to: path)
        #expect(try Data(contentsOf: URL(filePath: victim)) == Data("precious".utf8))
        #expect(FileManager.default.fileExists(atPath: path))
        // A directory cannot be replaced by a file.
        let directory = program.path("directory")
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: false)
        let error = #expect(throws: AerieError.self) { try machine.save(to: directory) }
        #expect(error?.category == .notStarted)
        #expect(!FileManager.default.fileExists(atPath: "\(directory).\(getpid()).0.partial"))
        machine.kill()
        #expect(machine.wait() == .stopped)
    }

    @Test("A machine that runs cannot be saved")
    func refusesToSave() throws {
        let program = try BareProgram(Self.load)
        let machine = try VirtualMachine(program.configuration, console: RecordingConsole())
        try machine.start()
        #expect(throws: AerieError.self) { try machine.save(to: program.path("saved")) }
        #expect(!FileManager.default.fileExists(atPath: program.path("saved")))
        machine.kill()
        #expect(machine.wait() == .stopped)
    }
}
