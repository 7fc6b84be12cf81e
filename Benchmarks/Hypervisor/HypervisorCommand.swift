import ArgumentParser
import Foundation
import GuestToolchain

/// The figures of the bare-metal hypervisor on Aerie, each with its limit.
struct HypervisorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hypervisor",
        abstract:
            "The bare-metal hypervisor on Aerie: its costs in instructions, its shares, and Linux in a guest of it.",
        discussion: """
            Linux is Debian's kernel (aerie image build debian) with our own program as its first process, with and without the hypervisor \
            in turn.
            """)

    @OptionGroup var program: AerieOption

    @Option(help: "How often Linux runs with and without the hypervisor.")
    var rounds = 3

    @Option(
        help: ArgumentHelp("The kernel; by default that of the image of `aerie image build debian`.", valueName: "path")
    )
    var linux: String?

    @Flag(help: "Print the measurements as JSON.")
    var json = false

    func validate() throws {
        if rounds < 1 { throw ValidationError("--rounds \(rounds): at least one is needed") }
    }

    func run() throws {
        let aerie = try program.path
        let builder = try HypervisorBuilder()
        for name in ["cost", "switches", "spin"] { try builder.guest(name) }
        let image = try FileManager.default.attributesOfItem(atPath: builder.hypervisor)[.size] as? Int ?? 0
        let counts = CountedGuests(builder: builder, aerie: aerie)
        var rows = [
            HypervisorReport.Row("image without guests, KB", Double(image) / 1000, limit: "300"),
            HypervisorReport.Row("hypercall, instructions", try counts.instructions("cost", vcpus: 1), limit: "150"),
            HypervisorReport.Row(
                "vCPU switch, instructions", try counts.instructions("switches", vcpus: 2), limit: "400"),
        ]
        let weighted = try counts.shares("\"weight\": 768")
        rows.append(HypervisorReport.Row("weights 3:1", weighted[0] / weighted[1], limit: "2.91 to 3.09"))
        let capped = try counts.shares("\"cap\": 25")
        rows.append(
            HypervisorReport.Row("cap of 25%, percent", 100 * capped[0] / (capped[0] + capped[1]), limit: "24 to 26"))
        for (load, limit) in [("compute", "1.1"), ("pipe", "1.5")] {
            rows.append(HypervisorReport.Row("\(load), times without", try linuxRatio(load, builder), limit: limit))
        }
        let report = HypervisorReport(rows: rows)
        print(json ? try report.json() : report.text())
    }

    /// CPU time of a load of `system.c` in a guest of the hypervisor, as a multiple of that in a guest of Aerie: medians of the rounds.
    private func linuxRatio(_ load: String, _ hypervisor: HypervisorBuilder) throws -> Double {
        let programs = try ProgramBuilder()
        defer { programs.remove() }
        let aerie = try program.path
        let kernel = try linux ?? DebianFiles(aerie: aerie).kernel
        let initrd = programs.directory.appending(path: "initrd").path
        let first = try Data(contentsOf: URL(filePath: programs.guestSystemProgram()))
        try InitialRAMDisk.archive(initProgram: first).write(to: URL(filePath: initrd))
        let table = try LinuxGuest(kernel: kernel, initrd: initrd, load: load).table(in: hypervisor.directory)
        let (status, output, image) = try hypervisor.pack(table)
        guard status == 0 else { throw BenchmarkError(output) }
        let common = ["run", "--engine", "translate", "--network", "none", "--transport", "mmio", "--cpu", "max,h=on"]
        let arguments = [
            common + [
                "--memory", "512M", "--kernel", kernel, "--initrd", initrd, "--append", "console=ttyS0 quiet \(load)",
            ],
            common + ["--memory", "768M", "--kernel", image],
        ]
        let machine = Machine(name: "Aerie", path: aerie, engine: "translate")
        var seconds: [[Double]] = [[], []]
        for round in 1...rounds {
            for place in 0..<2 {
                complain("round \(round) of \(rounds): \(load), \(place == 0 ? "without" : "with") the hypervisor")
                let run = try MarkedRun(machine, arguments[place], prefix: place == 0 ? "" : "[linux] ")
                guard let time = run.loads[load] else { throw BenchmarkError("\(load) has not run") }
                seconds[place].append(time)
            }
        }
        return Statistics.median(seconds[1]) / Statistics.median(seconds[0])
    }
}

/// Debian's kernel as a guest of the hypervisor.
private struct LinuxGuest {
    let kernel: String
    let initrd: String
    let load: String

    /// A GUESTS.json that names a flat Image: Debian's kernel may be a compressed one.
    func table(in directory: TemporaryDirectory) throws -> String {
        var image = kernel
        if try FileHandle(forReadingFrom: URL(filePath: kernel)).read(upToCount: 2) == Data([0x1F, 0x8B]) {
            image = directory.path("Image")
            let result = try HostProgram.run(
                "/bin/sh", ["-c", "exec gzip -dc \"$1\" >\"$2\"", "sh", kernel, image])
            guard result.status == 0 else {
                throw BenchmarkError("\(kernel): \(String(decoding: result.output, as: UTF8.self))")
            }
        }
        struct Guest: Encodable {
            let name = "linux"
            let kernel: String
            let initrd: String
            let append: String
            let memory = "512M"
        }
        let guest = Guest(kernel: image, initrd: initrd, append: "console=ttyS0 quiet \(load)")
        return String(decoding: try JSONEncoder().encode(["guests": [guest]]), as: UTF8.self)
    }
}
