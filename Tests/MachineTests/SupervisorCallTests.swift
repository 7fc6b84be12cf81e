import Aerie
import Testing

@Suite("SBI between harts") struct SupervisorCallTests {
    /// Harts, and how often they change what the others see: a fence has to wait for every hart to get a processor.
    private static let sizes = [(2, 300), (4, 100), (8, 30), (16, 10), (64, 2)]

    @Test(
        "Harts start, wake, see each other's page tables and code after a remote fence, and stop",
        arguments: [Configuration.Engine.interpret, .translate], sizes)
    func program(engine: Configuration.Engine, size: (harts: Int, rounds: Int)) throws {
        let program = try BareProgram(
            kernel: ["sbi_start.S", "sbi.c"], harts: size.harts, flags: ["-DROUNDS=\(size.rounds)"])
        var configuration = program.configuration
        configuration.engine = engine
        let console = RecordingConsole()
        let machine = try VirtualMachine(configuration, console: console)
        try machine.start()
        #expect(machine.wait() == .poweredOff)
        #expect(console.text == "all harts answered\n")
    }

    @Test(
        "A suspended hart says so, keeps its timer, and begins anew or goes on as the call says; so does the system",
        arguments: [Configuration.Engine.interpret, .translate], ["max", "max,sstc=off"])
    func suspension(engine: Configuration.Engine, processor: String) throws {
        let program = try BareProgram(kernel: ["sbi_start.S", "suspend.c"], harts: 2, flags: [])
        var configuration = program.configuration
        configuration.engine = engine
        configuration.processor = try Processor(option: processor)
        let console = RecordingConsole()
        let machine = try VirtualMachine(configuration, console: console)
        try machine.start()
        #expect(machine.wait() == .poweredOff)
        #expect(console.text == "all suspensions ended\n")
    }
}
