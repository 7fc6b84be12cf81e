import HostSystem
import Testing

@testable import Aerie

@Suite("The control port") struct ControlChannelTests {
    private let channel = ControlChannel()

    private var heard: String { String(decoding: channel.read(limit: 4096), as: UTF8.self) }

    private func write(_ text: String) { #expect(channel.write(Array(text.utf8)) == text.utf8.count) }

    @Test("A guest that does not listen gets the last wish of each kind, whatever pieces it reads them in")
    func wishes() {
        for _ in 0..<3 { channel.send("poweroff") }
        channel.send("reboot")
        for number in 0..<1000 { channel.send("time \(number) 0") }
        var text: [UInt8] = []
        while case let piece = channel.read(limit: 3), !piece.isEmpty { text += piece }
        #expect(String(decoding: text, as: UTF8.self) == "poweroff\nreboot\ntime 999 0\n")
        channel.send("poweroff")
        #expect(channel.read(limit: 4) == Array("powe".utf8))
        channel.send("poweroff")
        #expect(heard == "roff\npoweroff\n")
    }

    @Test("The agent hears of the console's window when it is ready, and of each change")
    func window() {
        channel.tellWindow(rows: 33, columns: 101)
        #expect(heard == "")
        write("ready 1\n")
        #expect(heard == "window 33 101\n")
        channel.tellWindow(rows: 33, columns: 101)
        #expect(heard == "")
        channel.tellWindow(rows: 40, columns: 80)
        #expect(heard == "window 40 80\n")
        // The last size counts, also when the guest reads late.
        for rows in [1, 2, 1] as [UInt16] { channel.tellWindow(rows: rows, columns: 80) }
        #expect(heard == "window 1 80\n")
        channel.tellWindow(rows: 40, columns: 80)
        #expect(heard == "window 40 80\n")
        // A guest that starts anew has forgotten it.
        channel.reset()
        write("rea")
        write("dy 1\n")
        #expect(heard == "window 40 80\n")
    }

    @Test("A lack of memory is reported for each write that tells of one, and nothing else is")
    func outOfMemory() {
        let count = Monitor(0)
        channel.outOfMemory.set { count.update { $0 += 1 } }
        write("oom\noom\n")
        #expect(count.withLock { $0 } == 1)
        write("oo")
        write("m\n")
        #expect(count.withLock { $0 } == 2)
        write("oom 1\nroom\n" + String(repeating: "x", count: 100) + "oom\n")
        #expect(count.withLock { $0 } == 2)
    }
}
