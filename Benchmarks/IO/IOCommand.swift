import ArgumentParser
import Foundation
import GuestToolchain

/// Disk throughput in Debian: fio on a disk of the guest.
struct IOCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "io", abstract: "Disk throughput in Debian: fio, random and sequential, at depth 1 and 32.",
        discussion: """
            The image needs fio: aerie image build debian --package fio. Reads come from the host's medium, except those \
            called cached: the host's page cache gives up the disk's file before each run.
            """)

    /// Four parts of 256 MiB.
    private static let diskSize = 1 << 30

    @OptionGroup var options: MachineOptions

    @Option(help: "The image to boot.")
    var image = "debian"

    @Option(help: "Seconds for each load.")
    var seconds = 5

    @Option(help: ArgumentHelp("Where the disk's file is made; not in memory.", valueName: "directory"))
    var directory = "/var/tmp"

    func validate() throws {
        if seconds < 1 { throw ValidationError("--seconds \(seconds): at least one is needed") }
    }

    func run() throws {
        let machines = try options.machines()
        let files = try DebianFiles(aerie: options.program.path, image: image)
        let script = try Self.script(seconds: seconds)
        defer { try? FileManager.default.removeItem(at: script) }
        let disk = URL(filePath: directory).appending(path: "aerie-io-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: disk) }
        try Self.fill(disk)

        var runs = machines.map { _ in [MarkedRun]() }
        let rounds = options.rounds ?? 1
        for round in 1...rounds {
            for (index, machine) in machines.enumerated() {
                complain("round \(round) of \(rounds): a disk of Debian on \(machine.name)")
                try Self.dropCache(of: disk)
                let arguments = machine.arguments(
                    files, second: script.path, third: disk.path, command: ["sh", "/dev/vdb"])
                runs[index].append(try MarkedRun(machine, arguments))
            }
        }
        let report = IOReport(machines: machines.map(\.name), runs: runs, seconds: seconds)
        print(options.json ? try report.json() : report.text())
    }

    /// The script of the loads. It is read from a disk, so its size is a whole number of sectors.
    private static func script(seconds: Int) throws -> URL {
        let source = URL(filePath: ProgramBuilder.sources).appending(path: "io.sh")
        var data = Data("SECONDS_EACH=\(seconds)\n".utf8) + (try Data(contentsOf: source))
        data.append(contentsOf: repeatElement(10, count: 512 - data.count % 512))
        let result = FileManager.default.temporaryDirectory.appending(path: "aerie-io-\(UUID().uuidString).sh")
        try data.write(to: result)
        return result
    }

    /// Makes a file without holes, whose blocks are on the medium.
    private static func fill(_ file: URL) throws {
        let descriptor = open(file.path, O_RDWR | O_CREAT | O_EXCL, 0o600)
        guard descriptor >= 0 else { throw BenchmarkError("\(file.path): \(String(cString: strerror(errno)))") }
        defer { close(descriptor) }
        let piece = [UInt8](unsafeUninitializedCapacity: 1 << 20) { buffer, count in
            for index in buffer.indices { buffer[index] = UInt8(truncatingIfNeeded: index &* 31 ^ index >> 8) }
            count = buffer.count
        }
        for _ in 0..<diskSize / piece.count {
            guard write(descriptor, piece, piece.count) == piece.count else {
                throw BenchmarkError("\(file.path): \(String(cString: strerror(errno)))")
            }
        }
    }

    private static func dropCache(of file: URL) throws {
        let descriptor = open(file.path, O_RDWR)
        guard descriptor >= 0 else { throw BenchmarkError("\(file.path): \(String(cString: strerror(errno)))") }
        defer { close(descriptor) }
        // Only clean pages can be given up.
        guard fsync(descriptor) == 0, posix_fadvise(descriptor, 0, 0, Int32(POSIX_FADV_DONTNEED)) == 0 else {
            throw BenchmarkError("\(file.path): its pages cannot be dropped from the cache")
        }
    }
}
