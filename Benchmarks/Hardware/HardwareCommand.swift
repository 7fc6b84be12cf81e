import ArgumentParser
import Foundation
import GuestToolchain

/// x86-64 guests on KVM: the costs of a start, of an exit and of a notification, and the speed of user code.
struct HardwareCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hardware", abstract: "x86-64 guests through KVM: start, memory, exits, user code, notifications.")

    /// Size of guest memory: larger than any other mapping of a monitor, so that it is identified by its size.
    static let memory = 64 << 20

    @Option(
        help: ArgumentHelp(
            "The aerie-vm program to measure; the one beside this program by default.", valueName: "path"))
    var aerieVM: String?

    @Option(help: ArgumentHelp("Another aerie-vm program to measure in the same run.", valueName: "path"))
    var versus: String?

    @Flag(inversion: .prefixedNo, help: "Measure QEMU's microvm machine as well.")
    var qemu = true

    @Option(help: "How often each program runs on each monitor.")
    var rounds = 5

    @Flag(help: "Print the measurements as JSON.")
    var json = false

    func validate() throws {
        if rounds < 1 { throw ValidationError("--rounds \(rounds): at least one is needed") }
        if let versus { _ = try BuiltProgram.aerieVM.path(versus) }
    }

    func run() throws {
        guard access("/dev/kvm", R_OK | W_OK) == 0 else {
            return complain("hardware: /dev/kvm: \(String(cString: strerror(errno))): nothing is measured")
        }
        let monitors = try self.monitors()
        let builder = try ProgramBuilder()
        defer { builder.remove() }
        let programs = try HardwarePrograms(builder)
        var report = HardwareReport(
            starts: monitors.map { StartSamples(monitor: $0.name) },
            versions: monitors.filter { !$0.isQEMU }.map { VersionSamples($0) })
        for round in 1...rounds {
            complain("round \(round) of \(rounds)")
            for (index, monitor) in monitors.enumerated() {
                try report.starts[index].add(monitor, programs.first)
            }
            for index in report.versions.indices { try report.versions[index].add(programs) }
        }
        print(json ? try report.json() : report.text())
    }

    /// The monitors; Aerie is the first.
    private func monitors() throws -> [Monitor] {
        let program = BuiltProgram.aerieVM
        var result = [Monitor(name: program.rawValue, path: try program.path(aerieVM), isQEMU: false)]
        if let versus { result.append(Monitor(name: "versus", path: versus, isQEMU: false)) }
        if qemu {
            if let path = HostProgram.find("qemu-system-x86_64") {
                result.append(Monitor(name: "qemu microvm", path: path, isQEMU: true))
            } else {
                complain("qemu-system-x86_64 is not installed: no comparison with it (apt install qemu-system-x86)")
            }
        }
        return result
    }
}

/// A virtual machine monitor for x86-64 guests on KVM.
struct Monitor {
    let name: String
    let path: String
    let isQEMU: Bool

    /// The arguments for a program with a PVH entry. Its serial port is standard output.
    func arguments(_ program: String) -> [String] {
        if isQEMU {
            return [
                "-M", "microvm", "-accel", "kvm", "-m", "64M", "-nodefaults", "-no-user-config", "-display", "none",
                "-monitor", "none", "-serial", "stdio", "-no-reboot", "-kernel", program,
            ]
        }
        return ["--arch", "x86_64", "--engine", "kvm", "--memory", "64M", "--kernel", program]
    }
}
