import Foundation
import GuestToolchain
import TestSupport
import Testing

@Suite(
    "Console input of the hypervisor", .serialized,
    .enabled(if: HypervisorImage.qemu != nil, "qemu-system-riscv64 is not installed"))
struct HypervisorConsoleTests {
    private static let boards = DeviceBoard.present.filter {
        $0 != .qemuLegacy && $0 != .aerieLegacy && !$0.description.hasSuffix("Interpreter")
    }

    @Test(
        "Input reaches the guest that has it, and the monitor, by interrupts of the board and of the guest's UART",
        arguments: boards, ["scheduled", "partitioned"])
    func typed(board: DeviceBoard, mode: String) throws {
        try HypervisorImage.guest("typed")
        func guest(_ name: String, hart: Int) -> String {
            let harts = mode == "partitioned" ? #", "harts": [\#(hart)]"# : ""
            return #"{"name": "\#(name)", "kernel": "typed.bin", "memory": "8M", "start": \#(hart == 0)\#(harts)}"#
        }
        let (status, output, image) = try HypervisorImage.pack(
            #"{"mode": "\#(mode)", "guests": [\#(guest("one", hart: 0)), \#(guest("two", hart: 1))]}"#)
        try #require(status == 0, "\(output)")
        let directory = TemporaryDirectory()
        let console = try directory.file("console", Data())
        let (input, file) = (Pipe(), try directory.writer(console))
        let command = try board.command(image, harts: 2, disk: nil, home: directory)
        let machine = try ChildProgram(
            command[0], Array(command.dropFirst()), input: input.fileHandleForReading.fileDescriptor,
            output: file.fileDescriptor, error: file.fileDescriptor)
        defer { machine.kill() }
        func text() -> String { (try? String(contentsOfFile: console, encoding: .utf8)) ?? "" }
        for (shown, typed) in [
            ("[one] ready", "to the first guest\r"), ("[one] typed to the first guest", "\u{1}m"),
            ("monitor: 'help'", "start 2\r"), ("[two] ready", "\u{1}2to the second guest\r"),
            ("[two] typed to the second guest", "its end\r"), ("guest two has ended", "\u{1}1end\r"),
            ("every guest has ended", ""),
        ] {
            try #require(Patience.wait { text().contains(shown) || !machine.isRunning })
            try #require(text().contains(shown), "\(text())")
            try input.fileHandleForWriting.write(contentsOf: Data(typed.utf8))
        }
        #expect(try machine.awaitEnd() == .exited(0))
        #expect(text().contains("[one] typed end"))
    }
}
