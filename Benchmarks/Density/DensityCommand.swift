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
            processes. Afterwards every guest of Aerie has to answer a command, and every guest of QEMU has to write to its console. \
            Forks are copies of one guest of Aerie, which has ended when they are measured.
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

    /// Guests to measure.
    private struct Row {
        let machine: Machine
        let isForked: Bool

        var name: String { machine.name + (isForked ? ", forks" : "") }
    }

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
        let machines = try options.machines()
        let files = try DebianFiles(aerie: options.program.path, image: image)
        let rows = machines.flatMap { machine in
            [Row(machine: machine, isForked: false)]
                + (machine.engine == nil ? [] : [Row(machine: machine, isForked: true)])
        }
        let results = try rows.map { row in
            complain("\(count) guests on \(row.name)")
            let memory = try measure(row, files)
            return Result(machine: row.name, memory: memory, guests: (room << 20) / memory)
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

    /// Starts the guests of a row one after the other: a host that is too busy would make guests wait for themselves.
    private func start(
        _ row: Row, _ files: DebianFiles, _ machines: KeptMachines, _ guests: inout [any IdleGuest]
    ) throws {
        switch row.machine.engine {
        case nil:
            let disk = machines.directory.appending(path: "disk")
            try Data(count: 4096).write(to: disk)
            // The devices that Aerie's guests have, too.
            let balloon = ["-device", "virtio-balloon-device,free-page-reporting=on"]
            let arguments = row.machine.arguments(files, second: disk.path, command: DensityGuest.command) + balloon
            for number in 0..<count {
                let guest = try DensityGuest(row.machine, arguments, in: machines.directory, number: number)
                guests.append(guest)
                try guest.wait(for: "@ready", count: 1, seconds: 600)
            }
        case let engine?:
            let options = ["--engine", engine] + (merge ? ["--merge"] : [])
            guard row.isForked else {
                for number in 0..<count {
                    guests.append(
                        try KeptGuest.start(machines, name: "guest-\(number)", image: image, options: options))
                }
                return
            }
            let first = try KeptGuest.start(machines, name: "first", image: image, options: options)
            defer { first.end() }
            let names = try machines.run(["fork", "first", "--count", "\(count)", "--name", "fork"])
            guests += names.split(separator: "\n").map { KeptGuest(machines: machines, name: String($0)) }
            guard guests.count == count else { throw BenchmarkError("\(guests.count) of \(count) forks run") }
        }
    }

    /// Bytes of memory of each guest.
    private func measure(_ row: Row, _ files: DebianFiles) throws -> Int {
        let directory = FileManager.default.temporaryDirectory.appending(path: "aerie-density-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(at: directory) }
        let machines = KeptMachines(aerie: row.machine.path, directory: directory)
        var guests: [any IdleGuest] = []
        defer { for guest in guests { guest.end() } }
        try start(row, files, machines, &guests)
        usleep(UInt32(min(settle, 3600) * 1e6))
        let memory = try guests.reduce(0) { try $0 + $1.proportionalMemory() } / guests.count
        for guest in guests { try guest.check() }
        return memory
    }
}
