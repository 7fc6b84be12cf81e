internal import CJail
internal import Glibc
internal import HostSystem

/// A machine's process in its jail, before and after the door is locked.
package struct JailInside: Sendable {
    /// What the monitor does for this process.
    package let broker: BrokerClient
    let hasUserNamespace: Bool
    /// Who writes the maps of the user namespace that is entered at the lock; nil where none is.
    let mapper: UserMapper?
    /// Whether the process namespace has a limit of processes and threads.
    let areThreadsLimited: Bool
    /// Layers that could not be had at the start.
    let startGaps: JailReport
}

extension JailInside {
    /// Locks the jail: from now on the process has the files that are open, and nothing else of the host but what the settings name.
    ///
    /// The process must have one thread. Threads that `HostThread` starts afterwards have the filter of their role.
    ///
    /// - Returns: the layers that do not stand, with reasons.
    /// - Throws: when the process has other threads or an open directory that the settings do not name, and when the jail fails half-way.
    package func lock(_ settings: JailSettings) throws(JailError) -> JailReport {
        let threads = aerie_jail_thread_count()
        guard threads <= 1 else {
            throw JailError(asked: "locking the jail", found: "the process has \(threads) threads already")
        }
        var lock = JailLock(settings, self)
        try Self.wrapping { () throws(SystemError) in
            let descriptors = try OpenDescriptors.numbers()
            let directories = try OpenDirectories(settings, among: descriptors)
            lock.sealMemoryFiles(among: descriptors)
            try lock.enterEmptyRoot(directories)
            try lock.enterUserNamespace()
            lock.enterOtherNamespaces()
            lock.limit()
            lock.giveUpPrivileges()
            try lock.enforceLandlock(directories)
            try lock.filterCalls(reportingTo: broker)
        }
        return lock.report
    }

    private static func wrapping(_ body: () throws(SystemError) -> Void) throws(JailError) {
        do throws(SystemError) { try body() } catch { throw JailError("locking the jail", error) }
    }
}
