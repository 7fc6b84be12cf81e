import Aerie
import Foundation
import Glibc
import HostSystem
import Testing

/// The table in the comment of `MachineLifecycle`, cell by cell.
@Suite("Every call in every state of a machine", .timeLimit(.minutes(10)))
struct LifecycleTableTests {
    enum Call: String, CaseIterable, Sendable { case start, pause, resume, save }

    private let firmware: SmallFirmware

    init() throws {
        firmware = try SmallFirmware.sleeping()
    }

    private func machine(_ console: any ConsoleChannel = RecordingConsole()) throws -> VirtualMachine {
        try VirtualMachine(firmware.configuration, console: console)
    }

    private func perform(_ call: Call, _ machine: VirtualMachine) -> AerieError? {
        do throws(AerieError) {
            switch call {
            case .start: try machine.start()
            case .pause: try machine.pause()
            case .resume: try machine.resume()
            case .save: try machine.save(to: firmware.path("saved"))
            }
            return nil
        } catch {
            return error
        }
    }

    /// Expects that the machine refuses the calls and names both states.
    private func expectRefusal(_ calls: [Call], _ machine: VirtualMachine, in state: String) {
        let wanted: [Call: String] = [.start: "created", .pause: "running", .resume: "paused", .save: "paused"]
        for call in calls {
            let error = perform(call, machine)
            #expect(error?.category == .usage, "\(call)")
            #expect(error?.asked == "\(call.rawValue) a virtual machine", "\(call)")
            #expect(error?.found == "it is \(state)", "\(call)")
            #expect(error?.advice == "it has to be \(wanted[call]!)", "\(call)")
        }
    }

    // MARK: States that last

    @Test("Created: it starts, or is killed; nothing else is allowed")
    func created() throws {
        let started = try machine()
        expectRefusal([.pause, .resume, .save], started, in: "created")
        started.requestPowerOff()
        #expect(perform(.start, started) == nil)
        started.kill()
        #expect(started.wait() == .stopped)

        let killed = try machine()
        killed.kill()
        #expect(killed.wait() == .stopped)
    }

    @Test("A kill before the start has the same result as one after it: the start is no error, and nothing runs")
    func killedBeforeStart() throws {
        let machine = try machine()
        machine.kill()
        machine.kill()
        #expect(perform(.start, machine) == nil)
        #expect(machine.wait() == .stopped)
        expectRefusal(Call.allCases, machine, in: "ended")

        let restored = try self.machine()
        restored.kill()
        try restored.start(restoring: firmware.path("nothing"))
        #expect(restored.wait() == .stopped)
    }

    @Test("Running: it pauses or ends; it neither starts, nor resumes, nor is saved")
    func running() throws {
        let machine = try machine()
        try machine.start()
        expectRefusal([.start, .resume, .save], machine, in: "running")
        machine.requestPowerOff()
        #expect(perform(.pause, machine) == nil)
        #expect(perform(.resume, machine) == nil)
        machine.kill()
        #expect(machine.wait() == .stopped)
    }

    @Test("Paused: it resumes, is saved, or ends; it neither starts nor pauses")
    func paused() throws {
        let machine = try machine()
        try machine.start()
        try machine.pause()
        expectRefusal([.start, .pause], machine, in: "paused")
        machine.requestPowerOff()
        #expect(perform(.save, machine) == nil)
        #expect(perform(.resume, machine) == nil)
        try machine.pause()
        machine.kill()
        #expect(machine.wait() == .stopped)
        expectRefusal(Call.allCases, machine, in: "ended")
    }

    @Test("Ended: nothing is allowed, a kill changes nothing, and everybody learns the same outcome")
    func ended() throws {
        let off = try SmallFirmware.poweringOff()
        let machine = try VirtualMachine(off.configuration, console: RecordingConsole())
        try machine.start()
        #expect(machine.wait() == .poweredOff)
        expectRefusal(Call.allCases, machine, in: "ended")
        machine.kill()
        machine.requestPowerOff()
        #expect(machine.wait() == .poweredOff)
        #expect(machine.wait() == .poweredOff)
    }

    // MARK: States of transitions

    /// Starts a machine that stays in `starting`: the file that it restores is a pipe, which nobody writes to until `body` is
    /// over. What comes then is no saved machine.
    private func whileStarting(_ body: (VirtualMachine) throws -> Void) throws -> (VirtualMachine, AerieError?) {
        let pipe = firmware.path("pipe-\(UInt64.random(in: 0...(.max)))")
        #expect(mkfifo(pipe, 0o600) == 0)
        let machine = try machine()
        let failure = Monitor<AerieError?>(nil)
        let starter = try HostThread(name: "starter") {
            do throws(AerieError) {
                try machine.start(restoring: pipe)
            } catch {
                failure.update { $0 = error }
            }
        }
        // Returns when the machine has opened the other end.
        let writer = open(pipe, O_WRONLY)
        #expect(writer >= 0)
        try body(machine)
        close(writer)
        starter.join()
        return (machine, failure.withLock { $0 })
    }

    @Test("Starting: other calls wait, and find the state that the start led to", arguments: Call.allCases)
    func starting(call: Call) throws {
        let result = Monitor<AerieError??>(nil)
        var caller: HostThread?
        let (machine, failure) = try whileStarting { machine in
            machine.requestPowerOff()
            caller = try HostThread(name: "caller") {
                let error = perform(call, machine)
                result.update { $0 = .some(error) }
            }
            // The call is not over, because the start is not.
            usleep(10_000)
            #expect(result.withLock { $0 } == nil)
        }
        caller?.join()
        #expect(failure?.category == .badInput)
        let error = result.withLock { $0 } ?? nil
        #expect(error?.asked == "\(call.rawValue) a virtual machine")
        #expect(error?.found == "it is ended")
        guard case .crashed = machine.wait() else {
            Issue.record("a start that failed ends the machine with the reason")
            return
        }
    }

    @Test("A kill while the machine starts does not wait, and is not lost")
    func killWhileStarting() throws {
        let (machine, failure) = try whileStarting { $0.kill() }
        #expect(failure?.category == .badInput)
        #expect(machine.wait() == .stopped)
    }

    @Test("A kill while devices start ends the machine when they have started")
    func killWhileLaunching() throws {
        let console = GatedConsole(closedOn: .connecting)
        let machine = try machine(console)
        let starter = try HostThread(name: "starter") { try? machine.start() }
        console.waitUntilReached()
        machine.kill()
        console.open()
        starter.join()
        #expect(machine.wait() == .stopped)
        expectRefusal(Call.allCases, machine, in: "ended")
    }

    @Test("Ending: other calls wait for the end, a kill does not, and changes nothing", arguments: Call.allCases)
    func ending(call: Call) throws {
        let off = try SmallFirmware.poweringOff()
        let console = GatedConsole(closedOn: .disconnecting)
        let machine = try VirtualMachine(off.configuration, console: console)
        try machine.start()
        console.waitUntilReached()
        machine.kill()
        machine.requestPowerOff()
        let result = Monitor<AerieError??>(nil)
        let caller = try HostThread(name: "caller") {
            let error = perform(call, machine)
            result.update { $0 = .some(error) }
        }
        usleep(10_000)
        #expect(result.withLock { $0 } == nil)
        console.open()
        caller.join()
        let error = result.withLock { $0 } ?? nil
        #expect(error?.asked == "\(call.rawValue) a virtual machine")
        #expect(error?.found == "it is ended")
        #expect(machine.wait() == .poweredOff)
    }

    // MARK: Failures

    @Test("A start that fails ends the machine with the reason, and gives its disks free")
    func failedStart() throws {
        let disk = firmware.path("disk")
        try Data(count: 4096).write(to: URL(filePath: disk))
        var configuration = firmware.configuration
        configuration.disks = [Disk(path: disk)]
        let failed = try VirtualMachine(configuration, console: RecordingConsole())
        #expect(throws: AerieError.self) { try failed.start(restoring: firmware.path("nothing")) }
        expectRefusal(Call.allCases, failed, in: "ended")
        guard case .crashed(let reason) = failed.wait() else {
            Issue.record("the outcome is a crash")
            return
        }
        #expect(reason.contains("nothing"))

        let next = try VirtualMachine(configuration, console: RecordingConsole())
        try next.start()
        next.kill()
        #expect(next.wait() == .stopped)
        #expect(failed.wait() == .crashed(reason))
    }

    @Test("A machine that is killed before it starts gives its disks free")
    func disksOfTheKilled() throws {
        let disk = firmware.path("disk")
        try Data(count: 4096).write(to: URL(filePath: disk))
        var configuration = firmware.configuration
        configuration.disks = [Disk(path: disk)]
        let killed = try VirtualMachine(configuration, console: RecordingConsole())
        killed.kill()
        #expect(killed.wait() == .stopped)
        let next = try VirtualMachine(configuration, console: RecordingConsole())
        next.kill()
        #expect(next.wait() == .stopped)
        #expect(killed.wait() == .stopped)
    }
}
