import Aerie
import GuestToolchain
import TestSupport
import Testing

@Suite("Guests that are dead") struct DeadGuestTests {
    /// A machine that runs, with the file of its program.
    private final class Guest {
        private let program: BareProgram
        let machine: VirtualMachine

        init(
            _ action: Configuration.WatchdogAction, panics: Bool = false,
            _ change: (inout Configuration) -> Void = { _ in }
        ) throws {
            program = try BareProgram(["runtime.S", "guest.c", "watchdog.c"], flags: panics ? ["-DPANIC"] : [])
            var configuration = program.configuration
            configuration.watchdog = action
            change(&configuration)
            machine = try VirtualMachine(configuration, console: RecordingConsole())
            try machine.start()
        }

        func wait() -> VirtualMachine.Outcome { machine.wait() }

        /// Waits until the machine has paused itself: a machine that runs cannot be resumed.
        func waitForPause() { #expect(Patience.wait { (try? machine.resume()) != nil }) }
    }

    @Test("A watchdog that nobody serves restarts the guest, or ends the machine")
    func watchdog() throws {
        // The restarted guest knows that it was, and switches off.
        #expect(try Guest(.reboot).wait() == .poweredOff)
        #expect(try Guest(.powerOff).wait() == .watchdogExpired)
        #expect(try Guest(.reboot) { $0.restartsOnReset = false }.wait() == .watchdogExpired)
    }

    @Test("A watchdog that pauses the machine leaves it to its owner")
    func pausing() throws {
        let paused = try Guest(.pause)
        paused.waitForPause()
        paused.machine.kill()
        #expect(paused.wait() == .stopped)
    }

    @Test("A panic that the guest reports ends the machine, whatever its engine")
    func panic() throws {
        for engine in [Configuration.Engine.interpret, .translate] {
            #expect(try Guest(.off, panics: true) { $0.engine = engine }.wait() == .panicked)
        }
        let paused = try Guest(.pause, panics: true)
        paused.waitForPause()
        paused.machine.kill()
        #expect(paused.wait() == .stopped)
    }
}
