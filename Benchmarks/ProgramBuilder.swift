import Foundation
import GuestToolchain

/// Compiles benchmarks for the host and for the guest, with the same compiler and flags, for Debian's baselines: x86-64 without
/// extensions and rv64gc.
struct ProgramBuilder {
    static let flags = ["-O2", "-ffreestanding", "-fno-math-errno", "-Wall", "-Wextra", "-Werror"]
    static let guestArchitecture = ["--target=riscv64-none-elf", "-march=rv64gc", "-mabi=lp64d"]
    static let sources = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Guests").path

    /// The directory of the compiled programs, which `remove` deletes.
    let directory: URL

    init() throws {
        directory = FileManager.default.temporaryDirectory.appending(path: "aerie-benchmarks-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    }

    func remove() { try? FileManager.default.removeItem(at: directory) }

    /// The path of the host's program.
    func host(_ kernel: Kernel) throws -> String {
        let result = directory.appending(path: "\(kernel.name)-host").path
        try Toolchain.run(
            "clang", Self.flags + definitions(kernel) + ["-o", result] + paths([kernel.source, "host.c"]))
        return result
    }

    /// The path of the guest's flat image.
    func guest(_ kernel: Kernel) throws -> String {
        let linked = directory.appending(path: "\(kernel.name).elf").path
        let result = directory.appending(path: "\(kernel.name).bin").path
        try Toolchain.run(
            "clang",
            Self.guestArchitecture + Self.flags + definitions(kernel) + [
                "-mcmodel=medany", "-fno-pic", "-nostdlib", "-fuse-ld=lld", "-Wl,-T,\(Self.sources)/guest.ld", "-o",
                linked,
            ] + paths(["start.S", "guest.c", kernel.source]))
        try Toolchain.run("llvm-objcopy", ["-O", "binary", linked, result])
        return result
    }

    /// `system.c` for Linux on the host.
    func hostSystemProgram() throws -> String {
        let result = directory.appending(path: "system-host").path
        try Toolchain.run(
            "clang", Self.flags + Self.withoutLibraries + ["-fno-pic", "-o", result] + paths(["system.c"]))
        return result
    }

    /// `system.c` for Linux in the guest.
    func guestSystemProgram() throws -> String { try guestProgram("system") }

    /// `clock.c` for Linux in the guest.
    func guestClock() throws -> String { try guestProgram("clock") }

    private func guestProgram(_ name: String) throws -> String {
        let result = directory.appending(path: "\(name)-guest").path
        try Toolchain.run(
            "clang",
            Self.guestArchitecture + Self.flags + Self.withoutLibraries
                + ["-mcmodel=medany", "-fno-pic", "-o", result] + paths(["\(name).c"]))
        return result
    }

    private static let withoutLibraries = ["-static", "-nostdlib", "-fuse-ld=lld"]

    private func definitions(_ kernel: Kernel) -> [String] { kernel.definitions.map { "-D\($0)" } }

    private func paths(_ names: [String]) -> [String] { names.map { "\(Self.sources)/\($0)" } }
}
