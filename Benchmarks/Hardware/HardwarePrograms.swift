import Foundation
import GuestToolchain

/// The programs of `hardware`, compiled from `Guests/hardware`: guests, and their counterparts on the host.
struct HardwarePrograms {
    /// Number of exits or computations of a program.
    static let exits = 200_000
    static let computations = 4
    static let notifications = 20_000

    /// The same guest for Aerie and for the monitor in `monitor.c`.
    struct ExitProgram {
        let guest: String
        let flat: String
    }

    let first: String
    let ports: ExitProgram
    let registers: ExitProgram
    /// The same without exits.
    let noExits: ExitProgram
    let user: String
    let noUser: String
    let hostUser: String
    let bells: String
    /// The monitor in `monitor.c`, which runs guests directly on /dev/kvm.
    let monitor: String

    init(_ builder: ProgramBuilder) throws {
        let sources = ProgramBuilder.sources
        let directory = builder.directory

        func guest(_ name: String, _ files: [String], _ flags: [String]) throws -> String {
            let result = directory.appending(path: "\(name).elf").path
            try Toolchain.run(
                "clang",
                ["--target=x86_64-none-elf", "-nostdlib", "-static", "-fuse-ld=lld", "-fno-pic", "-mno-red-zone"]
                    + ProgramBuilder.flags + flags + [
                        "-Wl,-T,\(sources)/hardware/link.ld", "-Wl,--build-id=none", "-I",
                        Toolchain.guests.appending(path: "x86").path, "-o", result,
                        "\(sources)/hardware/start.S",
                    ] + files.map { "\(sources)/\($0)" })
            return result
        }
        // Without floating point in ring 0: nothing saves its registers, and emulating KVMs lack it there.
        let kernelFlags = ["-mgeneral-regs-only"]
        func exiting(_ name: String, _ count: Int, _ flags: [String]) throws -> ExitProgram {
            let built = try guest(name, ["hardware/exits.c"], kernelFlags + flags + ["-DCOUNT=\(count)"])
            let flat = directory.appending(path: "\(name).bin").path
            try Toolchain.run("llvm-objcopy", ["-O", "binary", built, flat])
            return ExitProgram(guest: built, flat: flat)
        }
        first = try guest("first", ["hardware/exits.c"], kernelFlags + ["-DFIRST", "-DCOUNT=0"])
        ports = try exiting("ports", Self.exits, [])
        registers = try exiting("registers", Self.exits, ["-DREGISTERS"])
        noExits = try exiting("no-exits", 0, [])
        let computing = ["hardware/user.c", "core.c"]
        user = try guest("user", computing, ["-DGUEST", "-DUSER", "-DCOUNT=\(Self.computations)"])
        noUser = try guest("no-user", computing, ["-DGUEST", "-DUSER", "-DCOUNT=0"])
        bells = try guest("bells", ["hardware/bells.c"], kernelFlags + ["-DCOUNT=\(Self.notifications)"])

        hostUser = directory.appending(path: "user-host").path
        try Toolchain.run(
            "clang",
            ProgramBuilder.flags + ["-DCOUNT=\(Self.computations)", "-o", hostUser]
                + computing.map { "\(sources)/\($0)" })
        monitor = directory.appending(path: "monitor").path
        try Toolchain.run("clang", ["-O2", "-Wall", "-Werror", "-o", monitor, "\(sources)/hardware/monitor.c"])
    }
}
