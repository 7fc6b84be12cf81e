import MachineSession
import Testing

/// A script that is typed into a guest whose behaviour the test spells out.
private struct Typing {
    var pacer = InputPacer(now: 0)
    var script = ByteQueue(capacity: 1 << 16)
    var isEnded = true

    init(_ text: String) {
        script.append(Array(text.utf8))
    }

    mutating func next(_ limit: Int, at milliseconds: UInt64) -> String {
        let bytes = pacer.next(limit: limit, from: &script, isEnded: isEnded, at: milliseconds * 1_000_000)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Looks for input without taking any, as a driver does that starts to listen.
    mutating func listen(at milliseconds: UInt64) {
        for _ in 0..<2 { #expect(next(16, at: milliseconds) == "") }
    }

    mutating func output(_ text: String, at milliseconds: UInt64) {
        pacer.guestWrote(Array(text.utf8), at: milliseconds * 1_000_000)
    }

    var wakeTime: UInt64? {
        pacer.wakeTime(waiting: script.count, isEnded: isEnded).map { $0 / 1_000_000 }
    }
}

@Suite("Typing a script into a console")
struct InputPacerTests {
    @Test("Nothing is typed before the guest's prompt has rested")
    func waitsForPrompt() {
        var typing = Typing("ls\n")
        typing.output("[    0.1] booting\r\n", at: 1000)
        typing.listen(at: 1100)
        typing.output("root@debian:~# ", at: 2000)
        #expect(typing.wakeTime == 2150)
        #expect(typing.next(16, at: 2149) == "")
        #expect(typing.next(16, at: 2150) == "ls\n")
    }

    @Test("A prompt counts only once the guest asks for input")
    func waitsForGuest() {
        var typing = Typing("ls\n")
        typing.output("# ", at: 0)
        // The device is told once that there is something to ask for.
        #expect(typing.wakeTime == 0)
        #expect(typing.next(16, at: 5000) == "")
        #expect(typing.wakeTime == 0)
        #expect(typing.next(16, at: 5000) == "ls\n")
    }

    @Test("A driver that looks at the port's state for each byte that it sends does not ask for input")
    func looksBeforeOutputAreNoQuestions() {
        var typing = Typing("ls\n")
        for time in UInt64(0)..<50 {
            #expect(typing.next(1, at: time) == "")
            typing.output("#", at: time)
        }
        #expect(typing.next(1, at: 60_000) == "")
    }

    @Test("A guest that does nothing but look for input gets it, though it prints no prompt and is never silent")
    func typesToAGuestThatPolls() {
        var typing = Typing("ls\n")
        for time in UInt64(0)..<10 {
            typing.output(".", at: time)
            for _ in 1..<InputPacer.busyAsks { #expect(typing.next(1, at: time) == "") }
        }
        #expect(typing.next(1, at: 9) == "l")
        typing.output(".", at: 10)
        #expect(typing.next(1, at: 10) == "s")
    }

    @Test("A guest without a prompt gets its script after three silent seconds")
    func typesAfterSilence() {
        var typing = Typing("ls\n")
        typing.listen(at: 500)
        typing.output("ready\r\n", at: 1000)
        // Looks before the output may have been a boot loader's.
        #expect(typing.wakeTime == 0)
        typing.listen(at: 1000)
        #expect(typing.wakeTime == 4000)
        #expect(typing.next(16, at: 3999) == "")
        #expect(typing.next(16, at: 4000) == "ls\n")
    }

    @Test("At most 1024 bytes are ahead of the guest's echo")
    func staysBehindEcho() {
        var typing = Typing(String(repeating: "x", count: 4000))
        typing.listen(at: 0)
        typing.output("# ", at: 0)
        #expect(typing.next(4096, at: 1000).count == 1024)
        #expect(typing.next(4096, at: 1000) == "")
        typing.output(String(repeating: "x", count: 100), at: 1001)
        #expect(typing.next(4096, at: 1001).count == 100)
        #expect(typing.next(4096, at: 1001) == "")
    }

    @Test("Other output than the echo lets no more input through")
    func ignoresOtherOutput() {
        var typing = Typing(String(repeating: "x", count: 4000))
        typing.listen(at: 0)
        typing.output("# ", at: 0)
        #expect(typing.next(4096, at: 1000).count == 1024)
        typing.output(String(repeating: "other output\r\n", count: 1000), at: 1010)
        #expect(typing.next(4096, at: 1020) == "")
    }

    @Test("Control characters, whose echo nobody knows, are held back like other bytes without an echo")
    func controlsAreHeldBack() {
        var typing = Typing(String(repeating: "\0", count: 4000))
        typing.listen(at: 0)
        typing.output("# ", at: 0)
        #expect(typing.next(4096, at: 1000).count == 1024)
        #expect(typing.next(4096, at: 1000) == "")
        typing.output(String(repeating: "^@", count: 1024), at: 1010)
        #expect(typing.next(4096, at: 1020) == "")
        #expect(typing.wakeTime == 1250)
        #expect(typing.next(4096, at: 1250).count == 256)
        #expect(typing.wakeTime == 1750)
        #expect(typing.next(4096, at: 1750).count == 256)
        #expect(typing.wakeTime == 2750)
    }

    @Test("The echo of a character shows that the control characters before it were taken as well")
    func laterEchoCountsForControls() {
        var typing = Typing(String(repeating: "\u{1b}", count: 1000) + String(repeating: "x", count: 3000))
        typing.listen(at: 0)
        typing.output("# ", at: 0)
        #expect(typing.next(4096, at: 1000).count == 1024)
        #expect(typing.next(4096, at: 1000) == "")
        typing.output("x", at: 1010)
        #expect(typing.next(4096, at: 1010).count == 1001)
    }

    @Test("Without an echo, 256 bytes go after each of ever longer waits")
    func retriesSlower() {
        var typing = Typing(String(repeating: "x", count: 4000))
        typing.listen(at: 0)
        typing.output("# ", at: 0)
        #expect(typing.next(4096, at: 1000).count == 1024)
        #expect(typing.wakeTime == 1250)
        #expect(typing.next(4096, at: 1249) == "")
        #expect(typing.next(4096, at: 1250).count == 256)
        #expect(typing.wakeTime == 1750)
        #expect(typing.next(4096, at: 1749) == "")
        #expect(typing.next(4096, at: 1750).count == 256)
        #expect(typing.wakeTime == 2750)
    }

    @Test("An empty script ends a shell at its first prompt")
    func endsAtPrompt() {
        var typing = Typing("")
        typing.output("# ", at: 0)
        #expect(typing.next(16, at: 100) == "")
        #expect(typing.next(16, at: 150) == "\u{4}")
        #expect(typing.next(16, at: 10_000) == "")
        #expect(typing.wakeTime == nil)
    }

    @Test("The end comes after the last command's prompt, not while the command runs")
    func endsAfterLastCommand() {
        var typing = Typing("sleep 9\n")
        typing.listen(at: 0)
        typing.output("# ", at: 0)
        #expect(typing.next(16, at: 150) == "sleep 9\n")
        #expect(typing.next(16, at: 200) == "")
        typing.output("sleep 9\r\n", at: 210)
        #expect(typing.next(16, at: 1000) == "")
        typing.output("# ", at: 1200)
        #expect(typing.next(16, at: 1349) == "")
        #expect(typing.next(16, at: 1350) == "\u{4}")
    }

    @Test("Every new prompt after the end gets an end, sixteen in all")
    func endIsAnEndForEverybody() {
        var typing = Typing("")
        var ends = 0
        typing.listen(at: 0)
        for prompt in 0..<20 {
            let time = UInt64(prompt) * 1000
            typing.output("\r\n# ", at: time)
            if typing.next(16, at: time + 150) == "\u{4}" { ends += 1 }
            #expect(typing.next(16, at: time + 900) == "")
        }
        #expect(ends == InputPacer.mostEnds)
    }

    @Test("A last line without its newline gets one, before the end")
    func completesLastLine() {
        var typing = Typing("uname -m")
        typing.listen(at: 0)
        typing.output("# ", at: 0)
        #expect(typing.next(64, at: 1000) == "uname -m")
        #expect(typing.next(64, at: 1000) == "\n")
        typing.output("uname -m\r\nriscv64\r\n# ", at: 1100)
        #expect(typing.next(64, at: 1250) == "\u{4}")
    }

    @Test("The script does not end while more of it may come")
    func waitsForMore() {
        var typing = Typing("")
        typing.isEnded = false
        typing.listen(at: 0)
        typing.output("# ", at: 0)
        #expect(typing.next(16, at: 1000) == "")
        #expect(typing.wakeTime == nil)
    }

    @Test("A megabyte goes through whole and in order when the guest echoes it")
    func deliversEverything() {
        var typing = Typing("")
        typing.isEnded = false
        let line = "echo 'a line of a long script with some text in it'\n"
        let expected = String(repeating: line, count: 20_000)
        var rest = Array(expected.utf8)[...]
        var received: [UInt8] = []
        typing.listen(at: 0)
        typing.output("# ", at: 0)
        for time in 1000..<3000 where received.count < expected.utf8.count {
            let part = rest.prefix(typing.script.room)
            typing.script.append(part)
            rest = rest.dropFirst(part.count)
            let bytes = Array(typing.next(4096, at: UInt64(time)).utf8)
            #expect(bytes.count <= InputPacer.window)
            received += bytes
            typing.output(String(decoding: bytes, as: UTF8.self), at: UInt64(time))
        }
        #expect(received == Array(expected.utf8))
    }
}

@Suite("Recognizing a prompt")
struct PromptWatcherTests {
    private func shows(_ output: String) -> Bool {
        var watcher = PromptWatcher()
        for byte in output.utf8 { watcher.follow(byte) }
        return watcher.showsPrompt
    }

    @Test(
        "An unfinished line that ends like a question is a prompt",
        arguments: [
            "# ", "$ ", "root@debian:~# ", "debian login: ", ">", "grub> ", "Continue? ", "\u{1b}[?2004hroot@x:~# ",
            "\u{1b}]0;root@x: ~\u{7}root@x:~# \u{1b}[0m", "\u{1b}]0;t\u{1b}\\$ ", "50%\r# ",
        ])
    func prompts(output: String) {
        #expect(shows(output))
    }

    @Test(
        "A finished line, an unfinished sentence and progress are none",
        arguments: ["", "# \r\n", "Loading, please wait...", "[    1.0] mounted", "# ls", "(2 of 5) ", "#  ", "100%\r"])
    func others(output: String) {
        #expect(!shows(output))
    }
}

@Suite("Leaving a console")
struct EscapeDetectorTests {
    private static let second: UInt64 = 1_000_000_000

    @Test("Ctrl-] three times within a second is the escape, and the third press is not the guest's")
    func escapes() {
        var detector = EscapeDetector()
        #expect(detector.examine([0x1d], at: 0) == (1, false))
        #expect(detector.examine([0x1d], at: Self.second / 2) == (1, false))
        #expect(detector.examine([0x1d, 0x61], at: Self.second) == (0, true))
    }

    @Test("Three presses in more than a second are the guest's")
    func slowPresses() {
        var detector = EscapeDetector()
        #expect(detector.examine([0x1d], at: 0) == (1, false))
        #expect(detector.examine([0x1d], at: Self.second) == (1, false))
        #expect(detector.examine([0x1d], at: Self.second + 1) == (1, false))
        // The second and third press are not forgotten with the first.
        #expect(detector.examine([0x1d], at: Self.second + 2) == (0, true))
    }

    @Test("Another key between the presses starts the count anew")
    func interruptedPresses() {
        var detector = EscapeDetector()
        #expect(detector.examine([0x1d, 0x1d, 0x61, 0x1d, 0x1d], at: 5) == (5, false))
        #expect(detector.examine([0x1d], at: 6) == (0, true))
    }

    @Test("Three presses that arrive together are the escape")
    func pressesTogether() {
        var detector = EscapeDetector()
        #expect(detector.examine([0x61, 0x1d, 0x1d, 0x1d], at: 5) == (3, true))
    }
}
