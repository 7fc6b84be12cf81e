internal import Aerie
internal import ControlAPI
internal import Glibc
internal import HostSystem

/// Calls after which a machine has another state.
extension Machine {
    /// Pauses the machine. When this returns, its status says so.
    package func pause() throws { try change(.pause, to: .paused) }

    /// Lets the paused machine run again. When this returns, its status says so.
    package func resume() throws { try change(.resume, to: .running) }

    /// The monitor writes the status a moment after the machine's process has answered, on a busy host some seconds later.
    private func change(_ method: ControlRequest.Method, to state: MachineStatus.State) throws {
        _ = try ControlClient(self).call(method)
        let deadline = HostClock.monotonic() + 10_000_000_000
        while status.state != state, isRunning, HostClock.monotonic() < deadline { usleep(2000) }
    }
}
