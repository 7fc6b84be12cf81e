internal import CRuntime
internal import ControlAPI
internal import Glibc
internal import HostSystem

/// The health checks of a machine that runs: a process that asks the guest's agent, and tells the monitor how the guest is.
///
/// The monitor has one thread, and an agent may take long to answer. The process reads what the guest says; nothing that it does wrong
/// there reaches the monitor, but for one byte.
final class HealthWatch {
    private let process: Int32
    private let results: FileDescriptor

    /// Begins the checks of a machine whose record has one.
    ///
    /// - Throws: the host has no process or no pipe for it.
    init(_ check: HealthCheck, of machine: Machine) throws(SystemError) {
        var ends: [Int32] = [-1, -1]
        _ = try checked("pipe2") { aerie_start_pipe(&ends) }
        results = FileDescriptor(owning: ends[0])
        let output = FileDescriptor(owning: ends[1])
        process = aerie_fork_watcher(output.rawValue)
        if process == 0 { HealthChecker(check, machine, output: output.rawValue).run() }
        guard process > 0 else { throw .last("fork") }
    }

    /// The descriptor that has something to read when the guest's health has changed.
    var descriptor: Int32 { results.rawValue }

    /// The health since the last call; nil when the process has ended. After `descriptor` has become readable.
    func next() -> HealthState? {
        var byte: UInt8 = 0
        guard Glibc.read(results.rawValue, &byte, 1) == 1 else { return nil }
        return Self.state(byte)
    }

    /// Stops asking, as long as the guest is paused.
    func pause() { kill(process, SIGSTOP) }
    func resume() { kill(process, SIGCONT) }

    deinit {
        kill(process, SIGKILL)
        while waitpid(process, nil, 0) < 0, errno == EINTR {}
    }

    // MARK: A state as a byte

    static func byte(_ state: HealthState) -> UInt8 {
        switch state {
        case .starting: 0
        case .healthy: 1
        case .unhealthy: 2
        }
    }

    private static func state(_ byte: UInt8) -> HealthState? { HealthState.allCases.first { self.byte($0) == byte } }
}
