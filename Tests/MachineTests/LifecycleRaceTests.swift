import Aerie
import HostSystem
import Testing

@Suite("Two callers at once", .timeLimit(.minutes(10)))
struct LifecycleRaceTests {
    /// Lets threads begin together.
    private final class Starter: Sendable {
        private let count: Int
        private let arrived = Monitor(0)

        init(count: Int) { self.count = count }

        func meet() {
            arrived.update { $0 += 1 }
            arrived.wait { $0 >= count ? () : nil }
        }
    }

    /// Runs both at once; for each whether it went without an error.
    private func race(
        _ first: @escaping @Sendable () throws -> Void, _ second: @escaping @Sendable () throws -> Void
    ) throws -> [Bool] {
        let starter = Starter(count: 2)
        let results = Monitor([false, false])
        let threads = try [first, second].enumerated().map { index, body in
            try HostThread(name: "racer") {
                starter.meet()
                let succeeded = (try? body()) != nil
                results.update { $0[index] = succeeded }
            }
        }
        for thread in threads { thread.join() }
        return results.withLock { $0 }
    }

    private func machine() throws -> (SmallFirmware, VirtualMachine) {
        let firmware = try SmallFirmware.sleeping()
        return (firmware, try VirtualMachine(firmware.configuration, console: RecordingConsole()))
    }

    @Test("Of two starts, two pauses and two resumes, one succeeds each time")
    func sameCalls() throws {
        for _ in 0..<20 {
            let (firmware, machine) = try machine()
            #expect(try race({ try machine.start() }, { try machine.start() }).filter { $0 }.count == 1)
            #expect(try race({ try machine.pause() }, { try machine.pause() }).filter { $0 }.count == 1)
            #expect(try race({ try machine.resume() }, { try machine.resume() }).filter { $0 }.count == 1)
            #expect(try race({ machine.kill() }, { machine.kill() }) == [true, true])
            #expect(machine.wait() == .stopped)
            withExtendedLifetime(firmware) {}
        }
    }

    @Test("A kill beside a start always ends the machine, and never makes the start an error")
    func killAndStart() throws {
        for _ in 0..<100 {
            let (firmware, machine) = try machine()
            #expect(try race({ try machine.start() }, { machine.kill() }) == [true, true])
            #expect(machine.wait() == .stopped)
            withExtendedLifetime(firmware) {}
        }
    }

    @Test("A kill beside a pause or a resume always ends the machine")
    func killAndPause() throws {
        for round in 0..<40 {
            let (firmware, machine) = try machine()
            try machine.start()
            if round % 2 == 0 {
                _ = try race({ try machine.pause() }, { machine.kill() })
            } else {
                try machine.pause()
                _ = try race({ try machine.resume() }, { machine.kill() })
            }
            #expect(machine.wait() == .stopped)
            withExtendedLifetime(firmware) {}
        }
    }

    @Test("A power-off of the guest beside a pause ends the machine, paused in between or not")
    func powerOffAndPause() throws {
        for _ in 0..<40 {
            let firmware = try SmallFirmware.poweringOff()
            let machine = try VirtualMachine(firmware.configuration, console: RecordingConsole())
            _ = try race({ try machine.start() }) {
                guard (try? machine.pause()) != nil else { return }
                try machine.resume()
            }
            #expect(machine.wait() == .poweredOff)
            withExtendedLifetime(firmware) {}
        }
    }
}
