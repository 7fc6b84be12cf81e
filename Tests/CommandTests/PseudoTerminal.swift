import Foundation
import Glibc
import TestSupport

/// A terminal of the test's own, with a program on it that believes a person sits there.
final class PseudoTerminal {
    private let controller: Int32
    private let follower: Int32
    private(set) var received: [UInt8] = []
    private var process: pid_t = 0

    init(columns: UInt16 = 100, rows: UInt16 = 30) throws {
        var ends: (Int32, Int32) = (-1, -1)
        var size = winsize(ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
        guard openpty(&ends.0, &ends.1, nil, nil, &size) == 0 else { throw POSIXError(.init(rawValue: errno)!) }
        (controller, follower) = ends
        for end in [controller, follower] { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    }

    deinit {
        if process > 0 { kill(process, SIGKILL) }
        close(controller)
        close(follower)
    }

    /// The terminal's settings, flag by flag.
    var settings: [UInt32] {
        var value = termios()
        tcgetattr(follower, &value)
        return [value.c_iflag, value.c_oflag, value.c_cflag, value.c_lflag]
    }

    var isRaw: Bool { settings[3] & UInt32(ICANON | ECHO | ISIG) == 0 }

    /// Starts a program as the leader of a session that has this terminal.
    func start(_ path: String, _ arguments: [String], environment: [String: String]) throws {
        let name = try followerName()
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        // A session leader without a terminal gets the first one that it opens.
        posix_spawn_file_actions_addopen(&actions, 0, name, O_RDWR, 0)
        posix_spawn_file_actions_adddup2(&actions, 0, 1)
        posix_spawn_file_actions_adddup2(&actions, 0, 2)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // POSIX_SPAWN_SETSID, which Glibc's overlay does not show.
        posix_spawnattr_setflags(&attributes, 0x80)
        let words = ([path] + arguments).map { strdup($0) } + [nil]
        let variables = environment.map { strdup("\($0)=\($1)") } + [nil]
        defer { (words + variables).forEach { free($0) } }
        let code = posix_spawn(&process, path, &actions, &attributes, words, variables)
        guard code == 0 else { throw POSIXError(.init(rawValue: code)!) }
    }

    /// The path of the program's end. Not by ttyname(3), which has one buffer for all threads: a test would get the terminal of another test.
    private func followerName() throws -> String {
        var name = [UInt8](repeating: 0, count: 256)
        let code = name.withUnsafeMutableBytes {
            ttyname_r(follower, $0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count)
        }
        guard code == 0 else { throw POSIXError(.init(rawValue: code)!) }
        return String(decoding: name.prefix { $0 != 0 }, as: UTF8.self)
    }

    /// Changes the window's size, of which the kernel tells the program with SIGWINCH.
    func resize(columns: UInt16, rows: UInt16) {
        var size = winsize(ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
        _ = ioctl(controller, UInt(TIOCSWINSZ), &size)
    }

    func type(_ bytes: [UInt8]) {
        _ = bytes.withUnsafeBytes { write(controller, $0.baseAddress, $0.count) }
    }

    func send(_ signal: Int32) { kill(process, signal) }

    /// Sends a signal to the program that the started one, a shell, has started.
    func sendToChild(_ signal: Int32) -> Bool {
        let children = try? String(contentsOfFile: "/proc/\(process)/task/\(process)/children", encoding: .utf8)
        guard let child = children?.split(separator: " ").first.flatMap({ pid_t($0) }) else { return false }
        return kill(child, signal) == 0
    }

    /// Reads output until `condition` holds; false when the limit of patience passes before that.
    func wait(until condition: () -> Bool) -> Bool {
        let end = ContinuousClock.now + Patience.limit
        while ContinuousClock.now < end {
            if condition() { return true }
            var entry = pollfd(fd: controller, events: Int16(POLLIN), revents: 0)
            guard poll(&entry, 1, 10) > 0 else { continue }
            var chunk = [UInt8](repeating: 0, count: 4096)
            let count = read(controller, &chunk, chunk.count)
            if count > 0 { received += chunk[..<count] }
        }
        return condition()
    }

    func wait(for text: String) -> Bool {
        wait { String(decoding: received, as: UTF8.self).contains(text) }
    }

    /// Waits for the program's end: its exit code, or the negative number of the signal that ended it.
    func end() -> Int32? {
        var status: Int32 = 0
        guard wait(until: { waitpid(process, &status, WNOHANG) == process }) else { return nil }
        process = 0
        let signal = status & 0x7f
        return signal == 0 ? status >> 8 & 0xff : -signal
    }

    /// Waits for the program's end, which nobody helps by reading its output, in the words of `end`.
    func endUnread() -> Int32? {
        var status: Int32 = 0
        guard waitpid(process, &status, 0) == process else { return nil }
        process = 0
        let signal = status & 0x7f
        return signal == 0 ? status >> 8 & 0xff : -signal
    }
}
