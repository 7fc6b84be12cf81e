import Aerie
import Foundation
import GuestToolchain
import TestSupport
import Testing

/// Flash banks whose contents are in files.
@Suite("Flash banks in files") struct FlashTests {
    private static let bankSize = 32 << 20

    private let directory = TemporaryDirectory()

    /// A machine that runs `flash.c` from its first bank; the second bank is erased.
    private func configuration() throws -> Configuration {
        let code = try directory.file(
            "code", try Toolchain.build(["flash_start.S", "flash.c", "guest.c"], at: 0x2000_0000))
        var configuration = Configuration()
        configuration.memory = .mebibytes(16)
        configuration.flash = [FlashFile(path: code, isReadOnly: true), FlashFile(path: directory.path("variables"))]
        try Data(repeating: 0xFF, count: Self.bankSize).write(to: URL(filePath: directory.path("variables")))
        return configuration
    }

    private func run(_ configuration: Configuration) throws -> String {
        let console = RecordingConsole()
        let machine = try VirtualMachine(configuration, console: console)
        try machine.start()
        #expect(machine.wait() == .poweredOff, "\(console.text)")
        return console.text
    }

    @Test(
        "A guest runs from the first bank, and finds what it programmed and erased in the second one when it runs again",
        arguments: [Configuration.Engine.interpret, .translate])
    func contentsAreKept(engine: Configuration.Engine) throws {
        var configuration = try configuration()
        configuration.engine = engine
        #expect(try run(configuration) == "first\n")
        let contents = try Data(contentsOf: URL(filePath: directory.path("variables")))
        #expect(contents.count == Self.bankSize)
        #expect(contents.suffix(4) == Data([0x0D, 0x60, 0x0D, 0x60]))
        #expect(try run(configuration) == "second\n")
    }

    private func refusal(_ change: (inout Configuration) throws -> Void) throws -> String? {
        var configuration = try configuration()
        try change(&configuration)
        do throws(AerieError) {
            _ = try VirtualMachine(configuration, console: RecordingConsole())
            return nil
        } catch {
            return error.description.replacing(directory.path(""), with: "")
        }
    }

    @Test("Files that are no contents of a bank are refused, and the line says why and what to do")
    func badFiles() throws {
        let large = try directory.file("large", [])
        #expect(truncate(large, off_t(Self.bankSize) + 512) == 0)
        #expect(
            try refusal { $0.flash[1].path = large }
                == "--flash large: the file has 33554944 bytes, and a flash bank 33554432; give a smaller file")
        let small = try directory.file("small", [1, 2, 3])
        #expect(
            try refusal { $0.flash[1].path = small }
                == """
                --flash small: the file has 3 bytes, and a flash bank 33554432; extend the file with 'truncate --size=32M', \
                or add ',readonly'
                """)
        #expect(try refusal { $0.flash[1] = FlashFile(path: small, isReadOnly: true) } == nil)
        #expect(
            try refusal { $0.flash[0].path = directory.path("variables") }
                == """
                --flash variables: in use by another program; stop that one, or open the image read-only in both
                """)
        #expect(
            try refusal { $0.flash.append($0.flash[0]) }
                == "3 times --flash: the machine has 2 flash banks; leave some out")
        #expect(
            try refusal { $0.flash[0].path = directory.path("missing") }
                == "--flash missing: No such file or directory; check the path")
    }

    @Test("A setting that a flash bank does not have is refused")
    func badOption() throws {
        #expect(try FlashFile(option: "a,,b,readonly") == FlashFile(path: "a,b", isReadOnly: true))
        let error = AerieError(
            .usage, asked: "--flash a,serial=1", found: "'serial=1' is not known",
            advice: "after the file, use readonly")
        #expect(throws: error) { try FlashFile(option: "a,serial=1") }
    }
}
