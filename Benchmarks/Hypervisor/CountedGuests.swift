import Foundation
import GuestToolchain

/// The test guests of the hypervisor that count, on one hart: instructions on Aerie's interpreter, shares on QEMU, whose virtual time can follow
/// the instructions, so that other work of the host takes nothing of them.
struct CountedGuests {
    let builder: HypervisorBuilder
    let aerie: String

    /// What a guest counts for one of its operations.
    func instructions(_ program: String, vcpus: Int) throws -> Double {
        let lines = try onAerie(
            #"{"guests": [{"name": "counts", "kernel": "\#(program).bin", "vcpus": \#(vcpus), "memory": "8M"}]}"#)
        return try lastNumber("[counts] instructions of", lines)
    }

    /// The progress of two guests that never wait, the first with a setting of its table's entry.
    func shares(_ setting: String) throws -> [Double] {
        guard let qemu = HostProgram.find("qemu-system-riscv64") else {
            throw BenchmarkError("qemu-system-riscv64 is not installed (scripts/bootstrap --tests installs it)")
        }
        let table =
            """
            {"guests": [{"name": "set", "kernel": "spin.bin", "memory": "8M", \(setting)},
                {"name": "other", "kernel": "spin.bin", "memory": "8M"}]}
            """
        let lines = try ProcessRun(
            qemu,
            [
                "-M", "virt", "-cpu", "rv64,h=true", "-m", "512M", "-display", "none", "-monitor", "none", "-serial",
                "stdio",
                "-icount", "shift=4,sleep=off", "-kernel", try packed(table),
            ]
        ).lines
        return try ["set", "other"].map { try lastNumber("[\($0)] count ", lines) }
    }

    private func lastNumber(_ start: String, _ lines: [String]) throws -> Double {
        guard let line = lines.first(where: { $0.hasPrefix(start) }),
            let number = line.split(separator: " ").last.flatMap({ Double($0) })
        else { throw BenchmarkError("no guest says \(start):\n\(lines.joined(separator: "\n"))") }
        return number
    }

    private func packed(_ table: String) throws -> String {
        let (status, output, image) = try builder.pack(table)
        guard status == 0 else { throw BenchmarkError(output) }
        return image
    }

    private func onAerie(_ table: String) throws -> [String] {
        try ProcessRun(
            aerie,
            [
                "run", "--engine", "interpret", "--network", "none", "--transport", "mmio", "--cpu", "max,h=on",
                "--memory", "512M", "--kernel", try packed(table),
            ]
        ).lines
    }
}
