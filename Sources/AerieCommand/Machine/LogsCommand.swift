internal import Aerie
internal import ArgumentParser
internal import Foundation
internal import MachineSession
internal import Runtime

struct LogsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logs",
        abstract: "Print what a guest has written to its console.",
        discussion: """
            The last 8M or more are kept, over all starts of the machine.

            Examples:
              aerie logs --tail 20 build
              aerie logs --follow --timestamps build
              aerie logs --since 10m build
            """)

    @Flag(name: [.short, .long], help: "Go on until the machine ends.")
    var follow = false

    @Flag(name: [.short, .long], help: "Begin each line with its time.")
    var timestamps = false

    @Option(
        name: [.customShort("n"), .long], parsing: .unconditional,
        help: ArgumentHelp("Print so many of the last lines only.", valueName: "lines"))
    var tail: String?

    @Option(
        help: ArgumentHelp(
            "Print what was written in the last time only, as 90s, 10m, 2h or 7d, or since a time, as 2026-11-29T08:00:00Z.",
            valueName: "time"))
    var since: String?

    @OptionGroup var machine: OneMachine
    @OptionGroup var verbosity: VerbosityOptions

    func run() throws {
        let machine = try machine.find()
        var limit: Int?
        if let tail {
            guard let number = Int(tail), number >= 0 else {
                throw AerieError(
                    .usage, asked: "--tail", found: "'\(tail)' is not a number of lines", advice: "use one from 0 on")
            }
            limit = number
        }
        let start = try since.map { try Self.start($0) }
        var reader = ConsoleLogReader(path: machine.file(Machine.consoleLogName))
        // Times are texts of one form, whose order is that of the times.
        let entries = reader.read().filter { entry in start.map { entry.time >= $0 } ?? true }
        write(Self.last(limit, of: entries))
        while follow {
            // In this order: what was written before the end is read after it was seen.
            let isRunning = machine.isRunning
            write(reader.read())
            if !isRunning { return }
            usleep(100_000)
        }
    }

    /// The time in the form of the log, without the Z at its end: texts that begin so are not before it.
    private static func start(_ text: String) throws(AerieError) -> String {
        let units: [Character: Double] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]
        if let unit = text.last.flatMap({ units[$0] }), let count = UInt32(text.dropLast()) {
            return String(Date(timeIntervalSinceNow: -Double(count) * unit).formatted(.iso8601).dropLast())
        }
        if let date = try? Date(text, strategy: .iso8601) {
            // With its fraction of a second, which formatting loses.
            return String((text.hasSuffix("Z") ? text : date.formatted(.iso8601)).dropLast())
        }
        throw AerieError(
            .usage, asked: "--since \(text)", found: "it is not a time",
            advice: "use a length such as 90s, 10m, 2h or 7d, or a time such as 2026-11-29T08:00:00Z")
    }

    private static func last(_ limit: Int?, of entries: [ConsoleLogReader.Entry]) -> ArraySlice<ConsoleLogReader.Entry>
    {
        guard let limit else { return entries[...] }
        var count = 0
        var start = entries.endIndex
        while start > 0 {
            // A line is whole where the entry before it ended one.
            if start == entries.endIndex || entries[start - 1].isWhole { count += 1 }
            if count > limit { break }
            start -= 1
        }
        return entries[start...]
    }

    private func write(_ entries: some Sequence<ConsoleLogReader.Entry>) {
        var text = Data()
        for entry in entries {
            if timestamps { text += Data("\(entry.time) ".utf8) }
            text += entry.text
            // With times, each entry has a line of its own.
            if entry.isWhole || timestamps { text.append(0x0A) }
        }
        if !text.isEmpty { FileHandle.standardOutput.write(text) }
    }
}
