import ArgumentParser
import CJail
import Foundation
import GuestToolchain

/// Throughput of disks, networks and shared folders in Debian.
struct IOCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "io",
        abstract: "Disks (fio), networks (TCP through passt and TAP) and shared folders (many files) in Debian.",
        discussion: """
            For disks the image needs fio: aerie image build debian --package fio --package git. Reads come from the host's medium, \
            except those called cached: the host's page cache gives up the disk's file before each run. The shared folder has a \
            repository of git if the host and the image have git. QEMU needs virtiofsd for it. The TAP interface needs root: it is in a \
            network namespace of its own.
            """)

    enum Part: String, CaseIterable, ExpressibleByArgument {
        case disk, network, share, tap
    }

    /// Four parts of 256 MiB.
    private static let diskSize = 1 << 30

    @OptionGroup var options: MachineOptions

    @Option(help: "The image to boot.")
    var image = "debian"

    @Option(help: "A part to measure. Repeatable; all without it.")
    var part: [Part] = []

    @Option(help: "The number of files in the shared folder.")
    var files = 50_000

    @Option(help: "The number of files that are made and deleted.")
    var small = 10_000

    @Option(help: "Megabytes in each direction of the network.")
    var megabytes = 256

    @Option(help: "Seconds for each load on a disk.")
    var seconds = 5

    @Option(help: ArgumentHelp("Where the disk's file is made; not in memory.", valueName: "directory"))
    var directory = "/var/tmp"

    func validate() throws {
        if seconds < 1 { throw ValidationError("--seconds \(seconds): at least one is needed") }
        if files < 1 || small < 1 || megabytes < 1 { throw ValidationError("sizes are at least 1") }
    }

    func run() throws {
        let parts = part.isEmpty ? Part.allCases : part
        var reports: [IOReport] = []
        if parts.contains(.disk) { reports.append(try measureDisk()) }
        if parts.contains(.network) { reports.append(try measureNetwork()) }
        if parts.contains(.share) { reports.append(try measureShare()) }
        // The last one: afterwards this process is in another network namespace.
        if parts.contains(.tap) {
            do { reports.append(try measureTap()) } catch let error where part.isEmpty { complain("\(error)") }
        }
        for report in reports { print(options.json ? try report.json() : report.text()) }
    }

    private func measureDisk() throws -> IOReport {
        let disk = URL(filePath: directory).appending(path: "aerie-io-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: disk) }
        try Self.fill(disk)
        return try measure(
            "io.sh", ["SECONDS_EACH": "\(seconds)"], .disk(disk.path), title: "fio, operations/s", unit: "operation",
            count: { _, rate in rate * Double(seconds) }
        ) { try Self.dropCache(of: disk) }
    }

    private func measureNetwork() throws -> IOReport {
        try measureTransfers(
            at: "127.0.0.1", host: "10.0.2.2", guest: nil, .network, title: "TCP through passt, bytes/s")
    }

    /// The servers are at the host's end of the TAP interface.
    private func measureTap() throws -> IOReport {
        let interface = "aerie-io"
        guard aerie_jail_unshare(aerie_jail_network) == 0 else {
            throw BenchmarkError("tap: a network namespace cannot be made: \(String(cString: strerror(errno)))")
        }
        for words in [
            "link set lo up", "tuntap add \(interface) mode tap", "address add 192.168.9.1/24 dev \(interface)",
            "link set \(interface) up",
        ] {
            let result = try HostProgram.run("/sbin/ip", words.split(separator: " ").map(String.init))
            guard result.status == 0 else {
                throw BenchmarkError("tap: ip \(words): \(String(decoding: result.output, as: UTF8.self))")
            }
        }
        return try measureTransfers(
            at: "192.168.9.1", host: "192.168.9.1", guest: "192.168.9.2/24", .tap(interface),
            title: "TCP through TAP, bytes/s")
    }

    /// - Parameters:
    ///   - address: the address of the host's servers.
    ///   - host: the same as the guest sees it.
    ///   - guest: the guest's address and the length of its prefix, where no DHCP server gives one.
    private func measureTransfers(
        at address: String, host: String, guest: String?, _ extra: Machine.Extra, title: String
    ) throws -> IOReport {
        let (source, sink) = (
            try TransferServer(at: address, sends: true), try TransferServer(at: address, sends: false)
        )
        defer {
            source.stop()
            sink.stop()
        }
        let values = [
            "SOURCE": "\(source.port)", "SINK": "\(sink.port)", "BYTES": "\(megabytes << 20)", "HOST": host,
            "GUEST": guest ?? "",
        ]
        return try measure(
            "network.sh", values, extra, title: title, unit: "MB", count: { _, _ in Double(megabytes << 20) / 1e6 })
    }

    private func measureShare() throws -> IOReport {
        complain("making \(files) files")
        let tree = try SharedTree(files: files, in: directory)
        defer { tree.remove() }
        return try measure(
            "share.sh", ["FILES": "\(files)", "SMALL": "\(small)"], .share(tree.root.path), title: "files/s",
            unit: "file",
            count: { name, _ in
                Double(name.hasSuffix("create") || name.hasSuffix("delete") ? small : files)
            })
    }

    /// Runs a script on all machines.
    ///
    /// - Parameter count: how many units of work a load has done, by its name and its result.
    private func measure(
        _ source: String, _ values: [String: String], _ extra: Machine.Extra, title: String, unit: String,
        count: (String, Double) -> Double, before: () throws -> Void = {}
    ) throws -> IOReport {
        let machines = try options.machines()
        let files = try DebianFiles(aerie: options.program.path, image: image)
        let script = try Self.script(source, values)
        defer { try? FileManager.default.removeItem(at: script) }
        let socket = FileManager.default.temporaryDirectory.appending(path: "aerie-io-\(getpid()).socket").path
        var runs = machines.map { _ in [MarkedRun]() }
        let rounds = options.rounds ?? 1
        for round in 1...rounds {
            for (index, machine) in machines.enumerated() {
                complain("round \(round) of \(rounds): \(source) on \(machine.name)")
                try before()
                let arguments = machine.arguments(
                    files, second: script.path, extra: extra, socket: socket, command: ["sh", "/dev/vdb"])
                if let helper = try machine.helper(extra, socket: socket) {
                    // The helper is a child of QEMU, so that its CPU time counts.
                    let shell =
                        #"s=$1; shift; n=$1; shift; rm -f "$s"; a=; while [ $n -gt 0 ]; do a="$a '$1'"; shift; "#
                        + #"n=$((n - 1)); done; eval "$a" >/dev/null 2>&1 & "#
                        + #"while [ ! -S "$s" ]; do sleep 0.1; done; exec "$@""#
                    let words = ["-c", shell, "sh", socket, "\(helper.count)"] + helper + [machine.path] + arguments
                    runs[index].append(try MarkedRun(machine, words, program: "/bin/sh"))
                } else {
                    runs[index].append(try MarkedRun(machine, arguments))
                }
            }
        }
        return IOReport(title, unit: unit, machines: machines.map(\.name), runs: runs, count: count)
    }

    /// The script of the loads. It is read from a disk, so its size is a whole number of sectors.
    private static func script(_ name: String, _ values: [String: String]) throws -> URL {
        let source = URL(filePath: ProgramBuilder.sources).appending(path: name)
        let lines = values.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)\n" }.joined()
        var data = Data(lines.utf8) + (try Data(contentsOf: source))
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
