/// One of the barriers between a machine's process and its host. Each stands without the others.
package enum JailLayer: String, CaseIterable, Sendable {
    case userNamespace = "user namespace"
    case processNamespace = "process namespace"
    case emptyRoot = "empty root"
    case networkNamespace = "network namespace"
    case otherNamespaces = "ipc, uts and cgroup namespaces"
    case capabilities = "no capabilities"
    case newPrivileges = "no new privileges"
    case landlock = "Landlock"
    case systemCalls = "system call filter"
    case limits = "limits"
}
