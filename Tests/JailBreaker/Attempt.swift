import CRawCalls
import Glibc

/// Something that code in a machine's process tries that must not succeed.
struct Attempt {
    let name: String
    /// 0 or more when it has succeeded, or the negated errno value of the refusal.
    let body: @Sendable (Surroundings) -> Int

    init(_ name: String, _ body: @escaping @Sendable (Surroundings) -> Int) {
        self.name = name
        self.body = body
    }

    /// One system call.
    init(_ name: String, _ number: Int, _ arguments: @escaping @Sendable (Surroundings) -> [Int]) {
        self.init(name) { Self.call(number, arguments($0)) }
    }

    static func call(_ number: Int, _ arguments: [Int]) -> Int {
        let words = arguments + [Int](repeating: 0, count: 6 - arguments.count)
        return raw_call(number, words[0], words[1], words[2], words[3], words[4], words[5])
    }

    /// A call with a path as its second argument.
    static func open(_ path: String, at directory: Int32 = AT_FDCWD, _ flags: Int32 = O_RDONLY) -> Int {
        path.withCString { call(257, [Int(directory), Int(bitPattern: $0), Int(flags), 0o600]) }
    }

    static let all = files + sockets + processes + memory + kernel

    private static let files = [
        Attempt("open-absolute") { _ in open("/etc/passwd") },
        Attempt("open-through-proc") { _ in open("/proc/self/root/etc/passwd") },
        Attempt("open-above-share") { open("../../../../../../../../etc/passwd", at: $0.share) },
        Attempt("open-above-descriptors") { open("../root/etc/passwd", at: $0.descriptors) },
        Attempt("look-at-file") { _ in
            "/etc/passwd".withCString { path in
                withUnsafeTemporaryAllocation(byteCount: 256, alignment: 8) {
                    call(262, [Int(AT_FDCWD), Int(bitPattern: path), Int(bitPattern: $0.baseAddress), 0])
                }
            }
        },
        Attempt("create-file") { open("\($0.directory)/created", O_WRONLY | O_CREAT) },
        Attempt("create-in-read-only-share") { open("created", at: $0.readOnlyShare, O_WRONLY | O_CREAT) },
        Attempt("open-device") { _ in open("/dev/null", O_RDWR) },
        Attempt("open-with-ring") { _ in "/etc/passwd".withCString { raw_ring_open($0) } },
        Attempt("open-by-handle", 304) { [Int($0.share), 0, Int(O_RDONLY)] },
    ]

    private static func open(_ path: String, _ flags: Int32) -> Int { open(path, at: AT_FDCWD, flags) }

    private static let sockets = [
        Attempt("connect-path") { raw_connect_unix("\($0.directory)/socket") },
        Attempt("connect-abstract") { raw_connect_unix($0.abstractName) },
        Attempt("connect-tcp") { raw_connect_tcp($0.port) },
    ]

    private static let processes = [
        // PTRACE_SEIZE does not stop the process.
        Attempt("trace-monitor", 101) { [0x4206, $0.monitor, 0, 0] },
        Attempt("signal-monitor", 62) { [$0.monitor, Int(SIGURG)] },
        Attempt("signal-monitor-thread", 234) { [$0.monitor, $0.monitor, Int(SIGURG)] },
        Attempt("read-monitor-memory") { surroundings in
            var word: UInt64 = 0
            return withUnsafeMutablePointer(to: &word) { word in
                // The monitor's memory has the same layout: it is this process's parent.
                var parts = [iovec(iov_base: word, iov_len: 8), iovec(iov_base: word, iov_len: 8)]
                return parts.withUnsafeMutableBufferPointer {
                    let base = Int(bitPattern: $0.baseAddress)
                    return call(310, [surroundings.monitor, base, 1, base + 16, 1, 0])
                }
            }
        },
        Attempt("open-monitor-memory") { open("/proc/\($0.monitor)/mem") },
        Attempt("open-monitor-descriptor", 434) { [$0.monitor, 0] },
        Attempt("fork") { _ in raw_fork() },
        Attempt("run-program") { _ in
            "/bin/true".withCString { path in
                var words: [UnsafeMutablePointer<CChar>?] = [UnsafeMutablePointer(mutating: path), nil]
                return words.withUnsafeMutableBufferPointer {
                    call(59, [Int(bitPattern: path), Int(bitPattern: $0.baseAddress), 0])
                }
            }
        },
        Attempt("threads-without-end") { surroundings in
            raw_threads(surroundings.tooManyThreads) < surroundings.tooManyThreads ? -Int(EAGAIN) : 0
        },
    ]

    private static let memory = [
        Attempt("map-executable", 9) { _ in [0, 4096, 7, Int(MAP_PRIVATE | MAP_ANONYMOUS), -1, 0] },
        Attempt("map-file-executable", 9) {
            [Int(bitPattern: $0.page), 4096, 5, Int(MAP_PRIVATE | MAP_FIXED), Int($0.memoryFile), 0]
        },
        Attempt("map-guest-memory-executable", 9) { [0, 4096, 5, Int(MAP_SHARED), Int($0.memoryFile), 0] },
        Attempt("make-executable", 10) { [Int(bitPattern: $0.page), 4096, 5] },
        Attempt("make-code-writable", 10) { [Int(bitPattern: $0.code), 4096, 7] },
        Attempt("memory-file") { _ in "x".withCString { call(319, [Int(bitPattern: $0), 0]) } },
        Attempt("grow-guest-memory", 77) { [Int($0.memoryFile), 1 << 30] },
        Attempt("memory-without-end") { raw_memory($0.tooManyPieces) < $0.tooManyPieces ? -Int(ENOMEM) : 0 },
        Attempt("fault-handler", 323) { _ in [1] },
    ]

    private static let kernel = [
        Attempt("mount") { _ in
            "tmpfs".withCString { kind in
                "/".withCString { root in
                    call(165, [Int(bitPattern: kind), Int(bitPattern: root), Int(bitPattern: kind), 0, 0])
                }
            }
        },
        Attempt("host-name") { _ in
            var name = utsname()
            uname(&name)
            let text = withUnsafeBytes(of: name.nodename) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            return text == "machine" ? -Int(EPERM) : 0
        },
        Attempt("rename-host") { _ in "other".withCString { call(170, [Int(bitPattern: $0), 5]) } },
        Attempt("new-namespace", 272) { _ in [0x1000_0000] },
        Attempt("join-namespace", 308) { [Int($0.descriptors), 0] },
        Attempt("change-root") { _ in "/".withCString { call(161, [Int(bitPattern: $0)]) } },
        Attempt("keys", 250) { _ in [0, -3, 1] },
        Attempt("kernel-program", 321) { _ in [0, 0, 0] },
        Attempt("performance-counter", 298) { _ in [0, 0, -1, -1, 0] },
        Attempt("new-ring", 425) { _ in [4, 0] },
        Attempt("type-into-terminal", 16) { _ in [0, 0x5412, 0] },
        Attempt("raise-limit") { _ in
            var limit = rlimit(rlim_cur: 1 << 20, rlim_max: 1 << 20)
            return withUnsafePointer(to: &limit) { call(302, [0, 7, Int(bitPattern: $0), 0]) }
        },
        Attempt("change-user", 105) { _ in [1] },
        Attempt("change-capabilities", 126) { _ in [0, 0] },
        Attempt("executable-by-default", 135) { _ in [0x40_0000] },
        Attempt("replace-jail-handler", 13) { _ in [Int(SIGSYS), 0, 0, 8] },
        Attempt("call-of-another-interface", 39 | 0x4000_0000) { _ in [] },
        Attempt("new-privileges") { _ in
            // PR_GET_NO_NEW_PRIVS: whether a set-user-ID program would still help.
            let answer = call(157, [39, 0, 0, 0, 0])
            return answer == 1 ? -Int(EPERM) : answer
        },
    ]
}
