import ArgumentParser
import Foundation
import GuestToolchain
import TextTables

/// How much of the host's memory an idle guest has, and how many fit.
struct DensityCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "density", abstract: "Idle Debian guests of 512 MB: memory of each, and how many fit into 4 GB.",
        discussion: """
            Starts guests on one machine after the other, waits until they are idle, and adds up the proportional set sizes of all their \
            processes. Every guest has to write to its console afterwards.
            """)

    @OptionGroup var options: MachineOptions

    @Option(help: "The image to boot.")
    var image = "debian"

    @Option(help: "How many guests run at the same time.")
    var count = 4

    @Option(help: "Megabytes into which guests shall fit.")
    var room = 4096

    @Option(
        help: "Seconds between the start of the last guest and the measurement: free memory comes back in this time.")
    var settle = 60.0

    @Flag(help: "Let the host merge pages of Aerie's guests (needs /sys/kernel/mm/ksm/run).")
    var merge = false

    private struct Result: Encodable {
        let machine: String
        /// Bytes of memory of each guest with its monitor.
        let memory: Int
        /// Guests that fit.
        let guests: Int
    }

    func validate() throws {
        if count < 1 { throw ValidationError("--count \(count): at least one is needed") }
        if settle < 0 { throw ValidationError("--settle \(settle): seconds are needed") }
    }

    func run() throws {
        let machines = options.machines()
        guard let aerie = machines.first(where: { $0.engine != nil })?.path else {
            throw ValidationError("no engine of Aerie to measure")
        }
        let files = try DebianFiles(aerie: aerie, image: image)
        let results = try machines.map { machine in
            complain("\(count) guests on \(machine.name)")
            let memory = try measure(machine, files)
            return Result(machine: machine.name, memory: memory, guests: (room << 20) / memory)
        }
        if options.json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
            return print(String(decoding: try encoder.encode(results), as: UTF8.self))
        }
        var table = TextTable([.left(23), .right(12)], spacing: 1)
        table.add(["idle guests of 512 MB", "MB each", "in \(room) MB"])
        for result in results {
            table.add([result.machine, String(format: "%.1f", Double(result.memory) / 1048576), "\(result.guests)"])
        }
        print(table.text)
    }

    /// Bytes of memory of each guest.
    private func measure(_ machine: Machine, _ files: DebianFiles) throws -> Int {
        let directory = FileManager.default.temporaryDirectory.appending(path: "aerie-density-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(at: directory) }
        let disk = directory.appending(path: "disk")
        try Data(count: 4096).write(to: disk)
        var guests: [DensityGuest] = []
        defer { for guest in guests { guest.end() } }
        for number in 0..<count {
            var arguments = machine.arguments(files, second: disk.path, command: DensityGuest.command)
            if machine.engine == nil {
                // The devices that Aerie's guests have, too.
                arguments += ["-device", "virtio-balloon-device,free-page-reporting=on"]
            } else if merge {
                arguments.append("--merge")
            }
            guests.append(try DensityGuest(machine, arguments, in: directory, number: number))
            // One after the other: a host that is too busy would make guests wait for themselves.
            try guests[number].wait(for: "@ready", count: 1, seconds: 600)
        }
        usleep(UInt32(min(settle, 3600) * 1e6))
        let memory = try guests.reduce(0) { try $0 + $1.proportionalMemory() } / guests.count
        for guest in guests {
            try guest.wait(for: "@alive", count: try guest.count(of: "@alive") + 1, seconds: 600)
        }
        return memory
    }
}
