import GuestToolchain
import Foundation
import Testing

@Suite("aerie-vm") struct VMProgramTests {
    private let aerie: AerieProcess
    private let powerOff: String

    init() throws {
        aerie = try AerieProcess()
        powerOff = try aerie.directory.file("firmware", GuestProgram.powerOff)
    }

    private func run(_ arguments: [String]) throws -> AerieResult { try aerie.run(arguments, program: "aerie-vm") }

    @Test("It needs nothing but itself to start: no loader, and no Foundation inside")
    func isLean() throws {
        let file = try Data(contentsOf: URL(filePath: AerieProcess.path(of: "aerie-vm")))
        let program = [UInt8](file)
        func word(_ offset: Int, _ size: Int) -> Int {
            (0..<size).reduce(0) { $0 | Int(program[offset + $1]) << (8 * $1) }
        }
        // The program headers of a 64-bit ELF file: where they are, the size of one, and how many.
        let (table, size, count) = (word(32, 8), word(54, 2), word(56, 2))
        let kinds = (0..<count).map { word(table + size * $0, 4) }
        #expect(kinds.contains(1))
        // PT_INTERP
        #expect(!kinds.contains(3))
        // The beginning of every mangled name of the module.
        #expect(file.range(of: Data("$s10Foundation".utf8)) == nil)
    }

    @Test("It runs a machine, with settings from options and from a file, and ends with the guest's code")
    func running() throws {
        let result = try run(["--firmware", powerOff, "--memory=16M", "--cpus", "2"])
        #expect(result.code == 0, "\(result.error)")
        let fails = try aerie.directory.file("fails", GuestProgram.fail42)
        let settings = try aerie.directory.file(
            "settings.json", Data("{\"firmware\": \"\(fails)\", \"memory\": \"16M\", \"no-reboot\": true}".utf8))
        #expect(try run(["--config", settings]).code == 42)
        #expect(try run(["--config", settings, "--firmware", powerOff]).code == 0)
        #expect(try run(["--config=\(settings)", "--console", "virtio", "--control-port"]).code == 42)
    }

    @Test("Its settings may come over a descriptor")
    func descriptor() throws {
        let text = "{\"firmware\": \"\(powerOff)\", \"memory\": \"16M\"}"
        let result = try aerie.run(["--config", "/dev/fd/0"], input: text, program: "aerie-vm")
        #expect(result.code == 0, "\(result.error)")
    }

    @Test(
        "What is asked wrongly is one line that names it, and 64",
        arguments: [
            (["--frobnicate"], "--frobnicate"), (["kernel"], "kernel"), (["--cpus"], "--cpus: it has no value"),
            (["--cpus", "0"], "--cpus"), (["--memory", "many"], "--memory"),
            (["--no-reboot=yes"], "a flag has no value"),
            (["--image", "debian"], "kernels and firmware only"), ([], "nothing to boot"),
            (["--read-only", "--kernel", "x"], "--read-only"),
        ])
    func mistakes(arguments: [String], saying text: String) throws {
        let result = try run(arguments)
        #expect(result.code == 64, "\(result.error)")
        #expect(result.output == "")
        #expect(result.error.hasPrefix("aerie-vm: "), "\(result.error)")
        #expect(result.error.contains(text), "\(result.error)")
        #expect(result.error.split(separator: "\n").count == 1, "\(result.error)")
    }

    @Test("A missing kernel and a bad file of settings are bad input")
    func badInput() throws {
        #expect(try run(["--kernel", "absent"]).code == 65)
        #expect(try run(["--config", "absent"]).code == 65)
        let settings = try aerie.directory.file("settings.json", Data("{\"cpu\": 2}".utf8))
        let result = try run(["--config", settings])
        #expect(result.code == 65)
        #expect(result.error.contains("key 'cpu'"), "\(result.error)")
    }

    @Test("It says what it is for")
    func help() throws {
        let result = try run(["--help"])
        #expect(result.code == 0)
        #expect(result.output.contains("--config FILE"))
    }
}
