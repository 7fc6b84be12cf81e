/// Watches the kernel's log for processes that were killed for want of memory. Nothing runs while the log is quiet.
struct KernelLog: ~Copyable {
    private let log: Descriptor
    private var lastReport: UInt64 = 0

    /// Nil if the guest has no log.
    init?() {
        let flags = OpenFlags.read | OpenFlags.nonblocking
        guard let log = try? FileAccess.open([UInt8]("/dev/kmsg"), flags) else { return nil }
        // SEEK_END
        _ = system(SystemCall.lseek, Int(log.number), 0, 2)
        self.log = log
    }

    func register(_ poller: borrowing Poller) {
        poller.set(log.number, from: 0, to: Poller.readable, key: EventKey(.kernelLog))
    }

    /// Reads the new records; how many kills to report: at most one a second.
    mutating func newKills() -> Int {
        var hasKill = false
        // A record has at most 8 KB. A bound a turn, so that a flood of messages does not hold up the sessions.
        for _ in 0..<32 {
            var count = 0
            let record = [UInt8](unsafeUninitializedCapacity: 8192) { buffer, used in
                count = log.read(UnsafeMutableRawPointer(buffer.baseAddress.unsafelyUnwrapped), 8192)
                used = max(count, 0)
            }
            // EPIPE: records were overwritten; the next read has those that are left.
            if count == -Int(Errno.brokenPipe.number) { continue }
            guard count > 0 else { break }
            // "PRIORITY,SEQUENCE,TIME,FLAGS;TEXT"
            guard let semicolon = record.firstIndex(of: UInt8(ascii: ";")) else { continue }
            let text = Array(record[(semicolon + 1)...])
            if text.starts(withText: "oom-kill:") { hasKill = true }
        }
        guard hasKill else { return 0 }
        let now = Clock.milliseconds
        guard now - lastReport >= 1000 || lastReport == 0 else { return 0 }
        lastReport = now
        return 1
    }
}
