internal import CJail
internal import Glibc
internal import HostSystem

/// Puts the process of a machine into a jail: what a guest that has taken the process over could reach of the host.
///
/// The process that calls `start` becomes the monitor. Its child opens the machine's files while it still sees the host's, and calls
/// `JailInside.lock` before the guest's first instruction.
package enum Jail {
    /// The exit code of a process that could not be jailed.
    private static let failureCode: Int32 = 125
    private static let startingProcess = "starting the machine's process"

    /// Starts the process of a machine. The calling process must have one thread.
    ///
    /// Without privileges the child lives in a user namespace with its own user only. Where the host refuses namespaces, the child has
    /// fewer layers, and `JailInside.lock` reports the reasons.
    ///
    /// - Parameter body: runs in the child, which exits with its result.
    /// - Throws: when the process has other threads, or the host has no process for the machine.
    package static func start(
        _ settings: JailSettings, _ body: (JailInside) -> Int32
    ) throws(JailError) -> JailedProcess {
        // The child has a copy of the calling thread only: a lock that another thread holds, such as the heap's, is never free in it.
        let threads = aerie_jail_thread_count()
        guard threads <= 1 else {
            throw JailError(asked: startingProcess, found: "the calling process has \(threads) threads")
        }
        var reason = "left out"
        for attempt in NamespaceAttempt.all(omitting: settings.omittedLayers) {
            do throws(SystemError) {
                return try start(attempt, settings, attempt.gaps(reason), body)
            } catch {
                guard attempt.namespaces != 0 else { throw JailError(startingProcess, error) }
                reason = error.description
            }
        }
        preconditionFailure("the last attempt has no namespaces")
    }

    private static func start(
        _ attempt: NamespaceAttempt, _ settings: JailSettings, _ gaps: JailReport, _ body: (JailInside) -> Int32
    ) throws(SystemError) -> JailedProcess {
        let broker = try SocketPair()
        let status = try SocketPair()
        let user = geteuid()
        let group = getegid()
        // What waits in a buffer would be written by both processes.
        fflush(nil)
        aerie_jail_block_signals()
        let identifier = aerie_jail_clone(attempt.namespaces)
        if identifier == 0 {
            // With the monitor's ends here, the child would not see the end of a monitor that dies before its first message.
            Glibc.close(status.first.rawValue)
            Glibc.close(broker.first.rawValue)
            let child = JailInit(
                status: status.second.rawValue, broker: broker.second.rawValue, attempt: attempt, user: user,
                group: group)
            child.run(settings, gaps, body)
        }
        let error = SystemError.last("clone")
        aerie_jail_unblock_signals()
        guard identifier > 0 else { throw error }
        return try JailedProcess.begin(identifier, broker: broker.takeFirst(), status: status.takeFirst())
    }

    /// What the jail of a machine without shares and networks would have on this host, found out by a process that enters one.
    package static func examine(_ settings: JailSettings = JailSettings()) throws(JailError) -> JailReport {
        var ends: [Int32] = [-1, -1]
        guard aerie_jail_socket_pair(&ends) == 0 else { throw JailError("examining the jail", .last("socketpair")) }
        let own = FileDescriptor(owning: ends[0])
        let theirs = FileDescriptor(owning: ends[1])
        var settings = settings
        settings.descriptors.append(theirs.rawValue)
        let number = theirs.rawValue
        let process = try start(settings) { inside in
            guard let report = try? inside.lock(settings) else { return failureCode }
            let bytes = report.encoded + [UInt8(ascii: "\n")]
            return bytes.withUnsafeBytes { write(number, $0.baseAddress, $0.count) } == bytes.count ? 0 : failureCode
        }
        let ending = process.waitForEnd(Broker(settings))
        guard ending == .exited(0) else {
            throw JailError(asked: "examining the jail", found: "the process \(ending.text)")
        }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = bytes.withUnsafeMutableBytes { read(own.rawValue, $0.baseAddress, $0.count) }
        guard count > 0, let report = JailReport(encoded: Array(bytes[..<count])) else {
            throw JailError(asked: "examining the jail", found: "the process has sent no report")
        }
        return report
    }
}
