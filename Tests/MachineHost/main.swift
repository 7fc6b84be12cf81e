import Aerie
import Foundation
import HostSystem
import Synchronization

// One virtual machine in a process of its own, for tests that end the process: its console on standard output, what became of
// it on standard error, and a command on each line of standard input:
//
//     save FILE     saves it, and leaves it paused
//     type TEXT     types a line on its console
//     target BYTES  sets what its guest shall have of its memory
//     memory        says its statistics: current, resident and returned bytes, and what the guest has available
//
// MachineHost SETTINGS.json [SAVED] starts it, or restores what was saved.
// MachineHost --sessions N FILE ENGINE starts and ends N guests, of a firmware or, with the engine kvm, a kernel for x86-64; see ManySessions.

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
    /// Mebibytes, as of --max-memory; nil for none.
    let maxMemory: UInt64?
    /// A directory of the host, as the shared folder `share0`; nil for none.
    let share: String?
    /// The path of the socket at which the machine listens for vsock; nil for none.
    let sockets: String?
    /// Whether there is a card on a user network.
    let usesNetwork: Bool?
    /// In the form of /proc/meminfo: the guest lends memory when this file says so.
    let meminfo: String?

    var configuration: Configuration {
        var result = Configuration()
        result.kernel = kernel
        result.initrd = initrd
        result.commandLine = commandLine
        result.cpus = cpus
        result.memory = .mebibytes(UInt64(memory))
        result.memoryGrowth = maxMemory.map { MemoryGrowth(limit: .mebibytes($0)) }
        result.engine = Configuration.Engine(rawValue: engine) ?? .auto
        if meminfo != nil { result.memoryPolicy = try? MemoryPolicy(option: "pressure") }
        result.shares = share.map { [Share(hostDirectory: $0, guestDirectory: "/share")] } ?? []
        result.sockets = sockets.map { SocketSettings(path: $0) }
        if usesNetwork == true { result.networkCards = [NetworkCard()] }
        result.disks = [Disk(path: rootDisk, access: .discardChanges), Disk(path: dataDisk)]
        return result
    }

    /// What the machine sees of the host's memory.
    var services: HostServices {
        var services = HostServices.direct
        if let meminfo {
            services.memoryFiles = MemoryFiles(
                pressure: [], meminfo: meminfo, interval: 100_000_000, step: 100_000_000)
        }
        return services
    }
}

final class OutputConsole: ConsoleChannel {
    private struct Input {
        var bytes: [UInt8] = []
        var handler: (@Sendable () -> Void)?
    }

    private let input = Mutex(Input())

    func type(_ line: Substring) {
        let handler = input.withLock { input in
            input.bytes += Array(line.utf8) + [0x0A]
            return input.handler
        }
        handler?()
    }

    func read(limit: Int) -> [UInt8] {
        input.withLock { input in
            let bytes = Array(input.bytes.prefix(limit))
            input.bytes.removeFirst(bytes.count)
            return bytes
        }
    }

    func write(_ bytes: [UInt8]) -> Int {
        FileHandle.standardOutput.write(Data(bytes))
        return bytes.count
    }

    func setHandler(_ handler: (@Sendable () -> Void)?) { input.withLock { $0.handler = handler } }
    var windowSize: (columns: UInt16, rows: UInt16)? { nil }
}

func say(_ text: String) { FileHandle.standardError.write(Data("\(text)\n".utf8)) }

if CommandLine.arguments[1] == "--sessions" {
    var configuration = Configuration()
    configuration.engine = Configuration.Engine(rawValue: CommandLine.arguments[4]) ?? .auto
    if configuration.engine == .kvm {
        configuration.architecture = .x86_64
        configuration.kernel = CommandLine.arguments[3]
    } else {
        configuration.firmware = CommandLine.arguments[3]
    }
    configuration.memory = .mebibytes(16)
    configuration.codeCache = .mebibytes(4)
    try ManySessions(configuration: configuration).run(Int(CommandLine.arguments[2]) ?? 0)
    exit(0)
}

do {
    let settings = try JSONDecoder().decode(
        Settings.self, from: Data(contentsOf: URL(filePath: CommandLine.arguments[1])))
    let console = OutputConsole()
    let machine = try VirtualMachine(
        settings.configuration, console: console, services: settings.services, log: .silent)
    if CommandLine.arguments.count > 2 {
        try machine.start(restoring: CommandLine.arguments[2])
    } else {
        try machine.start()
    }
    Thread.detachNewThread {
        while let line = readLine() {
            let words = line.split(separator: " ", maxSplits: 1)
            if words[0] == "type" {
                console.type(words[1])
                continue
            }
            if words[0] == "memory" {
                let memory = machine.memoryStatistics
                let available = memory.guest?.available?.bytes ?? 0
                say("\(memory.current.bytes) \(memory.resident.bytes) \(memory.returned.bytes) \(available)")
                continue
            }
            do {
                if words[0] == "target" {
                    try machine.setMemoryTarget(ByteSize(bytes: UInt64(words[1]) ?? 0))
                    continue
                }
                try machine.pause()
                try machine.save(to: String(words[1]))
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
