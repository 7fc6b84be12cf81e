internal import Aerie
internal import HostSystem
internal import Jail
internal import MachineSession

/// The way of a machine's process into its jail.
struct JailDoor: Sendable {
    let inside: JailInside
    let settings: JailSettings
    /// Whether a host that does not allow every layer is an error.
    let isRequired: Bool

    /// What the monitor does for the machine.
    var services: HostServices {
        var services = HostServices()
        services.startPasst = { [inside] in inside.broker.passt(card: $0) }
        services.connectSocket = { [inside] in inside.broker.connect(port: $0) }
        return services
    }

    /// Locks the jail, and warns of layers that the host does not allow.
    func close(_ log: SessionLog) throws(AerieError) {
        let report: JailReport
        do throws(JailError) { report = try inside.lock(settings) } catch { throw AerieError(jail: error) }
        guard !report.gaps.isEmpty else { return }
        if isRequired {
            throw AerieError(
                .unavailable, asked: "--require-jail", found: "this host allows \(report.summary)",
                advice: "see 'aerie doctor'")
        }
        log.note(.warning, "jail", "the host allows \(report.summary); see 'aerie doctor'")
    }
}

extension AerieError {
    init(jail error: JailError) {
        self.init(.notStarted, asked: error.asked, found: error.found, advice: error.advice)
    }
}
