import Aerie
import TestSupport
import Testing

@Suite("A limit of processor time that a machine keeps itself") struct ProcessorLimitTests {
    private func category(_ body: () throws(AerieError) -> Void) -> AerieError.Category? {
        do throws(AerieError) {
            try body()
            return nil
        } catch {
            return error.category
        }
    }

    /// The limit counts the whole process, in which other tests run: it is spent at once, and nearly always.
    @Test("A busy machine whose processor time is spent pauses, resumes and ends, and takes other limits")
    func spent() throws {
        let firmware = try SmallFirmware.busy()
        defer { withExtendedLifetime(firmware) {} }
        var configuration = firmware.configuration
        configuration.cpus = 2
        let machine = try VirtualMachine(configuration, console: RecordingConsole())
        try machine.setProcessorLimit(percent: 1)
        try machine.start()
        for limit in [1, nil, 100, 2] as [Int?] {
            try machine.setProcessorLimit(percent: limit)
            try machine.pause()
            try machine.setProcessorLimit(percent: limit)
            try machine.resume()
        }
        machine.kill()
        #expect(machine.wait() == .stopped)
        #expect(category { () throws(AerieError) in try machine.setProcessorLimit(percent: 50) } == .usage)
    }

    @Test("A limit is 1% to 102400%", arguments: [0, -1, 102_401, .max, .min])
    func wrong(percent: Int) throws {
        let firmware = try SmallFirmware.sleeping()
        defer { withExtendedLifetime(firmware) {} }
        let machine = try VirtualMachine(firmware.configuration, console: RecordingConsole())
        #expect(category { () throws(AerieError) in try machine.setProcessorLimit(percent: percent) } == .usage)
        machine.kill()
        #expect(machine.wait() == .stopped)
    }

    @Test("A machine that powers off under a limit ends")
    func ending() throws {
        let firmware = try SmallFirmware.poweringOff()
        defer { withExtendedLifetime(firmware) {} }
        let machine = try VirtualMachine(firmware.configuration, console: RecordingConsole())
        try machine.setProcessorLimit(percent: 5)
        try machine.start()
        #expect(machine.wait() == .poweredOff)
    }
}
