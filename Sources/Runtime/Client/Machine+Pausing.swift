internal import Aerie
internal import ControlAPI
internal import Glibc
internal import HostSystem

/// Calls after which a machine has another state.
extension Machine {
    /// Pauses the machine. When this returns, its status says so.
    package func pause() throws { try change(.pause, to: .paused, ControlClient(self)) }

    /// Lets the paused machine run again. When this returns, its status says so.
    package func resume() throws {
        let client = try ControlClient(self)
        try takeBackDisks(client, isUnused: false)
        try change(.resume, to: .running, client)
    }

    /// Lets a machine go on that was to be handed over to another host, which has said that it never ran there. When this returns, its status says so.
    ///
    /// - Throws: why it stands still.
    func goOn(_ client: ControlClient) throws(AerieError) {
        try takeBackDisks(client, isUnused: true)
        try change(.resume, to: .running, client)
    }

    /// How long somebody who ends may have the lock of a disk, in nanoseconds.
    private static let patience: UInt64 = 5_000_000_000

    /// Opens, locks and returns the disks that were handed over.
    ///
    /// - Parameter isUnused: whether the other host has said that the machine never ran there.
    private func takeBackDisks(_ client: ControlClient, isUnused: Bool) throws(AerieError) {
        guard let away = try? client.call(.status)["handedOverDisks"]?.decode([String].self) else { return }
        for path in away {
            guard var disk = record.configuration.disks.first(where: { $0.path == path }) else { continue }
            disk.path = HostPath.absolute(path, in: record.workingDirectory)
            let opened = try open(disk, until: HostClock.monotonic() + Self.patience)
            let files = JSONValue.array(opened.descriptions.map { .string($0) })
            try client.call(
                .returnDisk, ["disk": .string(path), "files": files, "isUnused": .boolean(isUnused)],
                files: opened.descriptors)
        }
    }

    private func open(_ disk: Disk, until deadline: UInt64) throws(AerieError) -> OpenDisk {
        while true {
            do throws(AerieError) { return try disk.openFiles() } catch {
                guard HostClock.monotonic() < deadline else {
                    throw AerieError(
                        .unavailable, asked: "letting machine '\(record.name)' go on",
                        found: "its disk \(disk.path) was handed over to another host: \(error.found)",
                        advice: "see whether the machine runs there")
                }
            }
            usleep(50_000)
        }
    }

    /// The monitor writes the status a moment after the machine's process has answered, on a busy host some seconds later.
    private func change(
        _ method: ControlRequest.Method, to state: MachineStatus.State, _ client: ControlClient
    ) throws(AerieError) {
        try client.call(method)
        let deadline = HostClock.monotonic() + 10_000_000_000
        while status.state != state, isRunning, HostClock.monotonic() < deadline { usleep(2000) }
    }
}
