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
            """)

    @Flag(name: [.short, .long], help: "Go on until the machine ends.")
    var follow = false

    @Flag(name: [.short, .long], help: "Begin each line with its time.")
    var timestamps = false

    @Option(
        name: [.customShort("n"), .long], parsing: .unconditional,
        help: ArgumentHelp("Print so many of the last lines only.", valueName: "lines"))
    var tail: String?

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
        var reader = ConsoleLogReader(path: machine.file(Machine.consoleLogName))
        write(Self.last(limit, of: reader.read()))
        while follow {
            // In this order: what was written before the end is read after it was seen.
            let isRunning = machine.isRunning
            write(reader.read())
            if !isRunning { return }
            usleep(100_000)
        }
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
