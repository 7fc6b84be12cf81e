import FoundationEssentials
import Glibc
import GuestImages
import HostSystem

/// Boots guests on QEMU's `virt` board: the reference that the builder is tested against without Aerie's own machine.
enum QemuRunner {
    static let program = "/usr/bin/qemu-system-riscv64"

    static var isInstalled: Bool { access(program, X_OK) == 0 }

    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    /// Runs a guest of the builder's to its end.
    static func configure(_ run: GuestRun) async throws {
        let status = try boot(
            kernel: run.kernel, initrd: run.initrd, disk: "file=\(run.disk),cache=unsafe", commandLine: run.commandLine,
            memory: run.memory, console: run.console)
        guard status == 0 else { throw Failure(description: "QEMU ended with status \(status)") }
    }

    /// Boots and waits for the end.
    ///
    /// - Parameters:
    ///   - disk: a file with further properties of QEMU's `-drive`.
    ///   - input: what is typed at the console, after the first prompt.
    /// - Returns: QEMU's exit status.
    static func boot(
        kernel: String, initrd: String, disk: String, commandLine: String, memory: UInt64 = 512 << 20,
        typing input: String = "", console: (([UInt8]) -> Void)
    ) throws -> Int32 {
        var ends: (Int32, Int32) = (0, 0)
        let made = withUnsafeMutablePointer(to: &ends) {
            $0.withMemoryRebound(to: Int32.self, capacity: 2) {
                socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, $0)
            }
        }
        guard made == 0 else { throw SystemError.last("socketpair") }
        let ours = FileDescriptor(owning: ends.0)
        let child = try spawn(
            [
                program, "-machine", "virt", "-m", "\(memory >> 20)M", "-nographic", "-no-reboot", "-kernel", kernel,
                "-initrd", initrd, "-append", commandLine, "-drive", "\(disk),format=raw,if=none,id=root",
                "-device", "virtio-blk-device,drive=root", "-device", "virtio-rng-device",
            ], console: ends.1)
        close(ends.1)

        var seen = ""
        var typed = input.isEmpty
        var buffer = [UInt8](repeating: 0, count: 4096)
        while let count = try? buffer.withUnsafeMutableBytes({ try ours.read(into: $0) }), count > 0 {
            let bytes = Array(buffer[..<count])
            console(bytes)
            seen += String(decoding: bytes, as: UTF8.self)
            if !typed, seen.contains("# ") {
                typed = true
                let text = Array(input.utf8)
                try text.withUnsafeBytes { try ours.writeAll($0) }
            }
        }
        var status: Int32 = 0
        waitpid(child, &status, 0)
        return (status >> 8) & 0xff
    }

    private static func spawn(_ arguments: [String], console: Int32) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for target in 0...2 { posix_spawn_file_actions_adddup2(&actions, console, Int32(target)) }
        var words = arguments.map { strdup($0) } + [nil]
        defer { words.forEach { free($0) } }
        var child: pid_t = 0
        let code = posix_spawn(&child, arguments[0], &actions, nil, &words, environ)
        guard code == 0 else { throw SystemError("posix_spawn \(arguments[0])", code: code) }
        return child
    }
}
