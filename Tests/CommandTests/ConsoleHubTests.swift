import Aerie
import Foundation
import GuestToolchain
import Synchronization
import Testing

@testable import MachineSession

@Suite("The console of a machine that is kept") struct ConsoleHubTests {
    @Test("Attached programs get the latest output, lose what they do not take, and never hold the guest up")
    func attachments() {
        let hub = ConsoleHub(first: nil, log: nil)
        #expect(hub.write(Array("before".utf8)) == 6)
        let number = hub.attach(windowSize: nil, withRecent: true, wake: {}) ?? 0
        let late = hub.attach(windowSize: nil, withRecent: false, wake: {}) ?? 0
        #expect(hub.write(Array(" after".utf8)) == 6)
        #expect(hub.takeOutput(number).bytes == Array("before after".utf8))
        #expect(hub.takeOutput(late).bytes == Array(" after".utf8))
        let much = [UInt8](repeating: 0x78, count: 1 << 18)
        #expect(hub.write(much) == much.count)
        #expect(hub.write([1, 2, 3]) == 3)
        let taken = hub.takeOutput(number)
        #expect(taken.bytes.count == 1 << 18)
        #expect(taken.lost == 3)
        #expect(hub.takeOutput(number).lost == 0)
        hub.end()
        #expect(hub.takeOutput(number).isOver)
    }

    @Test("The guest waits for an attached program that holds it up, which loses nothing, until it reads or is gone")
    func holding() {
        let hub = ConsoleHub(first: nil, log: nil)
        let calls = Counter()
        hub.setHandler { calls.increase() }
        let capacity = 1 << 18
        let number = hub.attach(windowSize: nil, withRecent: false, holdsGuest: true, wake: {}) ?? 0
        let other = hub.attach(windowSize: nil, withRecent: false, wake: {}) ?? 0
        let output = (0..<capacity + 5).map { UInt8(truncatingIfNeeded: $0) }
        #expect(hub.write(output) == capacity)
        #expect(hub.write([1]) == 0)
        #expect(calls.count == 0)
        let taken = hub.takeOutput(number)
        #expect(taken.bytes == Array(output[..<capacity]) && taken.lost == 0)
        #expect(calls.count == 1)
        // The other one, which holds nobody up, has lost what did not fit.
        #expect(hub.write(Array(output[capacity...])) == 5)
        let rest = hub.takeOutput(number)
        #expect(rest.bytes == Array(output[capacity...]) && rest.lost == 0)
        #expect(hub.takeOutput(other).lost == 5)
        #expect(calls.count == 1)
        #expect(hub.write(output) == capacity)
        hub.detach(number)
        #expect(calls.count == 2)
        #expect(hub.write([1]) == 1)
    }

    @Test("What is typed waits for the guest within a bound, and who waits for room is woken")
    func typing() {
        let hub = ConsoleHub(first: nil, log: nil)
        let wakes = Counter()
        let number = hub.attach(windowSize: nil, withRecent: false, wake: { wakes.increase() }) ?? 0
        let typed = [UInt8](repeating: 0x61, count: 70_000)
        #expect(hub.type(typed) == 65_536)
        #expect(hub.read(limit: 16) == Array(typed[..<16]))
        #expect(wakes.count == 1)
        #expect(hub.type(Array(typed[65_536...])) == 16)
        hub.detach(number)
    }

    @Test("The guest's window is the one that changed last, and goes with its program")
    func windows() {
        let hub = ConsoleHub(first: nil, log: nil)
        let first = hub.attach(windowSize: (80, 24), withRecent: false, wake: {}) ?? 0
        let second = hub.attach(windowSize: (100, 30), withRecent: false, wake: {}) ?? 0
        #expect(hub.windowSize?.columns == 100)
        #expect(hub.resize(first, columns: 90, rows: 20))
        #expect(hub.windowSize?.columns == 90)
        hub.detach(first)
        #expect(hub.windowSize == nil)
        #expect(!hub.resize(first, columns: 1, rows: 1))
        hub.detach(second)
    }

    @Test("Attachments are limited")
    func limit() {
        let hub = ConsoleHub(first: nil, log: nil)
        for _ in 0..<ConsoleHub.mostAttachments {
            #expect(hub.attach(windowSize: nil, withRecent: false, wake: {}) != nil)
        }
        #expect(hub.attach(windowSize: nil, withRecent: false, wake: {}) == nil)
    }

    @Test("The log keeps lines with their times, without the terminal's carriage returns, in two files of bounded size")
    func log() throws {
        let directory = TemporaryDirectory()
        let path = directory.url.appending(path: "console.log").path
        let log = try ConsoleLog(path: path, limit: 4096)
        try log.start()
        for number in 0..<1000 { log.write(Array("line \(number)\r\n".utf8)) }
        log.write(Array("unfinished".utf8))
        log.close()
        var reader = ConsoleLogReader(path: path)
        let entries = reader.read()
        let last = try #require(entries.last)
        #expect(last.text == Array("unfinished".utf8) && !last.isWhole)
        let lines = entries.dropLast().map { String(decoding: $0.text, as: UTF8.self) }
        #expect(lines == (1000 - lines.count..<1000).map { "line \($0)" })
        let sizes = try ConsoleLog.paths(path).map { try Data(contentsOf: URL(filePath: $0)).count }
        // One write may be larger than a file, as the first line of a new file.
        #expect(sizes.allSatisfy { $0 < 100_000 })
        #expect(reader.read().isEmpty)
    }

    @Test(
        "Detach keys are taken out, and a Ctrl-P of the guest's comes with the key behind it",
        arguments: [
            ([[0x61, 0x10, 0x11, 0x62]], [0x61], .detach), ([[0x10], [0x11]], [], .detach),
            ([[0x10], [0x62]], [0x10, 0x62], nil), ([[0x10, 0x10, 0x11]], [0x10], .detach),
            ([[0x1d, 0x1d, 0x1d]], [0x1d, 0x1d], .escape), ([[0x11]], [0x11], nil),
        ] as [([[UInt8]], [UInt8], ConsoleKeys.Found?)])
    func keys(typed: [[UInt8]], forGuest: [UInt8], found: ConsoleKeys.Found?) {
        var keys = ConsoleKeys()
        var bytesForGuest: [UInt8] = []
        var keysFound: ConsoleKeys.Found?
        for bytes in typed {
            let result = keys.examine(bytes, at: 5)
            bytesForGuest += result.forGuest
            keysFound = keysFound ?? result.found
        }
        #expect(bytesForGuest == forGuest)
        #expect(keysFound == found)
    }
}

/// Counts on any thread.
private final class Counter: Sendable {
    private let number = Mutex(0)
    func increase() { number.withLock { $0 += 1 } }
    var count: Int { number.withLock { $0 } }
}
