import Aerie
import Foundation

// One virtual machine in a process of its own, for tests that end the process: its console on standard output, the name of
// a file on each line of standard input where it is to be saved, and what became of it on standard error.
//
//     MachineHost SETTINGS.json [SAVED]     starts it, or restores what was saved

struct Settings: Decodable {
    let kernel: String
    let initrd: String
    let commandLine: String
    let cpus: Int
    let memory: Int
    let engine: String
    /// Its changes are discarded.
    let rootDisk: String
    /// Its changes stay.
    let dataDisk: String

    var configuration: Configuration {
        var result = Configuration()
        result.kernel = kernel
        result.initrd = initrd
        result.commandLine = commandLine
        result.cpus = cpus
        result.memory = .mebibytes(UInt64(memory))
        result.engine = Configuration.Engine(rawValue: engine) ?? .auto
        result.disks = [Disk(path: rootDisk, access: .discardChanges), Disk(path: dataDisk)]
        return result
    }
}

final class OutputConsole: ConsoleChannel {
    func read(limit: Int) -> [UInt8] { [] }
    func write(_ bytes: [UInt8]) -> Int {
        FileHandle.standardOutput.write(Data(bytes))
        return bytes.count
    }
    func setHandler(_ handler: (@Sendable () -> Void)?) {}
    var windowSize: (columns: UInt16, rows: UInt16)? { nil }
}

func say(_ text: String) { FileHandle.standardError.write(Data("\(text)\n".utf8)) }

do {
    let settings = try JSONDecoder().decode(
        Settings.self, from: Data(contentsOf: URL(filePath: CommandLine.arguments[1])))
    let machine = try VirtualMachine(settings.configuration, console: OutputConsole())
    if CommandLine.arguments.count > 2 {
        try machine.start(restoring: CommandLine.arguments[2])
    } else {
        try machine.start()
    }
    Thread.detachNewThread {
        while let path = readLine() {
            do {
                try machine.pause()
                try machine.save(to: path)
                say("saved")
            } catch {
                say("not saved: \(error)")
            }
        }
    }
    say("ended: \(machine.wait())")
} catch {
    say("failed: \(error)")
}
