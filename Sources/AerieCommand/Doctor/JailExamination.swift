internal import Jail

/// Looks at which layers of a machine's jail this host allows.
enum JailExamination {
    /// One finding for each layer.
    static var findings: [Finding] {
        do throws(JailError) {
            let report = try Jail.examine()
            return JailLayer.allCases.map { layer in
                let reason = report.reason(for: layer)
                return Finding(
                    name: "jail, \(layer.rawValue)", status: reason == nil ? .ok : .limited,
                    reason: reason ?? layer.purpose,
                    advice: reason == nil ? "" : "guests run without it, with a warning")
            }
        } catch {
            return [Finding(name: "jail", status: .missing, reason: error.found, advice: error.advice)]
        }
    }
}

extension JailLayer {
    /// What the layer keeps a machine's process from.
    fileprivate var purpose: String {
        switch self {
        case .userNamespace: "no privileges outside of the machine's own namespaces"
        case .processNamespace: "no process of the host can be signalled"
        case .emptyRoot: "no files but those of the machine"
        case .networkNamespace: "no network but that of the machine"
        case .otherNamespaces: "no messages, names and control groups of the host"
        case .capabilities: "no rights of root"
        case .newPrivileges: "no help from programs with set-user-ID"
        case .landlock: "no files but those of the machine, by a second barrier"
        case .systemCalls: "no system calls but those of a machine"
        case .limits: "no memory and threads without end"
        }
    }
}
