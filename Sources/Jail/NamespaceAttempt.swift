internal import CJail
internal import Glibc

/// The namespaces that a process of a machine is started in; those that need no fork are entered later.
struct NamespaceAttempt: Equatable {
    /// Bits of clone(2).
    let namespaces: UInt64

    var hasUser: Bool { namespaces & aerie_jail_user != 0 }
    var hasProcess: Bool { namespaces & aerie_jail_process != 0 }

    /// From the best to none. With privileges the user namespace comes at the lock, because devices of the host need them.
    static func all(omitting layers: Set<JailLayer>) -> [NamespaceAttempt] {
        let user = layers.contains(.userNamespace) ? 0 : aerie_jail_user
        let process = layers.contains(.processNamespace) ? 0 : aerie_jail_process
        var result: [NamespaceAttempt] = []
        func add(_ namespaces: UInt64) {
            let attempt = NamespaceAttempt(namespaces: namespaces)
            if !result.contains(attempt) { result.append(attempt) }
        }
        if Self.isPrivileged { add(process) }
        add(user | process)
        add(user)
        add(0)
        // Nothing is tried after the attempt without namespaces, which cannot be refused.
        return Array(result.prefix { $0.namespaces != 0 }) + [NamespaceAttempt(namespaces: 0)]
    }

    /// Whether this process may make namespaces without a user namespace of its own.
    static var isPrivileged: Bool { aerie_jail_capabilities() >> Capability.systemAdministration & 1 == 1 }

    /// The layers that a process which starts in these namespaces cannot have any more, for a reason.
    func gaps(_ reason: String) -> JailReport {
        var report = JailReport()
        if !hasUser, !Self.isPrivileged { report.add(.userNamespace, reason) }
        if !hasProcess { report.add(.processNamespace, reason) }
        return report
    }
}

/// Numbers of capabilities (capabilities(7)).
enum Capability {
    static let systemAdministration: UInt64 = 21

    /// Those by which root serves the files of a shared folder, whoever owns them: CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH,
    /// CAP_FOWNER, CAP_FSETID.
    static let files: UInt64 = 0b1_1111
}
