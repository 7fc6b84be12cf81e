import GuestToolchain
import Foundation
import Testing

private let unshare = "/usr/bin/unshare"
private let prlimit = "/usr/bin/prlimit"

/// Hosts that refuse what a machine needs, made of this one.
@Suite("What the host refuses") struct RefusingHostTests {
    private let aerie: AerieProcess
    private let kernel: String

    init() throws {
        aerie = try AerieProcess()
        kernel = try aerie.directory.file("kernel", GuestProgram.powerOff)
    }

    /// Runs `aerie` where `/dev` is empty, after the commands.
    private func run(_ arguments: [String], inDevicesAfter commands: String) throws -> AerieResult {
        let script = "mount -t tmpfs -o nodev none /dev && \(commands) && exec \"$@\""
        return try aerie.run(arguments, wrapper: [unshare, "--mount", "--", "/bin/sh", "-c", script, "sh"])
    }

    private static let canHide: Bool = {
        #if arch(x86_64)
            let test = try? AerieProcess().run(
                ["help"],
                wrapper: [unshare, "--mount", "--", "/bin/sh", "-c", "mount -t tmpfs none /dev && exec \"$@\"", "sh"])
            return test?.code == 0
        #else
            return false
        #endif
    }()

    @Test(
        "Without /dev/kvm, and without permission to open it, an x86-64 guest is unavailable and the doctor says why",
        .enabled("needs root, mount namespaces and an x86-64 host") { canHide },
        arguments: [
            ("true", "/dev/kvm does not exist"), ("mknod /dev/kvm c 10 232", "this user may not open /dev/kvm"),
        ])
    func noKVM(commands: String, reason: String) throws {
        for options in [["--arch", "x86_64"], ["--arch", "x86_64", "--engine", "kvm"]] {
            let result = try run(["run", "--kernel", kernel] + options, inDevicesAfter: commands)
            #expect(result.code == 69)
            #expect(result.output == "")
            let engine = options.count > 2 ? "kvm" : "auto"
            #expect(
                result.error.hasPrefix("aerie: --engine \(engine) for an x86_64 guest: \(reason); "), "\(result.error)")
            #expect(result.error.split(separator: "\n").count == 1)
        }
        #expect(try run(["doctor"], inDevicesAfter: commands).output.contains(reason))
    }

    @Test(
        "Memory that the host does not give is told as that",
        .enabled(if: FileManager.default.isExecutableFile(atPath: prlimit), "needs Debian's package util-linux"))
    func noMemory() throws {
        let result = try aerie.run(
            ["run", "--kernel", kernel, "--memory", "768M"], wrapper: [prlimit, "--as=\(700 << 20)"])
        #expect(result.code == 125, "\(result.error)")
        #expect(result.error.hasPrefix("aerie: --memory 768M: "), "\(result.error)")
        #expect(result.error.contains("Cannot allocate memory"), "\(result.error)")
        #expect(result.error.split(separator: "\n").count == 1)
    }

    private static let hasKVM = access("/dev/kvm", R_OK | W_OK) == 0

    @Test(
        "Kernels of other architectures are bad input for an x86-64 machine",
        .enabled(if: hasKVM, "this host has no KVM for us"))
    func wrongArchitecture() throws {
        for (machine, bits, found) in [
            (243, 2, "an ELF file for RISC-V"), (3, 1, "a 32-bit ELF file for i386"),
        ] as [(UInt8, UInt8, String)] {
            var elf = Data([0x7F, 0x45, 0x4C, 0x46, bits, 1, 1, 0] + [UInt8](repeating: 0, count: 8))
            elf += [2, 0, machine, 0, 1, 0, 0, 0] + [UInt8](repeating: 0, count: 4096)
            let file = try aerie.directory.file("kernel-\(machine)", elf)
            let result = try aerie.run(["run", "--arch", "x86_64", "--kernel", file])
            #expect(result.code == 65)
            #expect(result.error.contains("it is \(found) and the guest is x86_64"), "\(result.error)")
            #expect(result.error.split(separator: "\n").count == 1)
        }
    }
}
