/// What is process 1 of an image's guests.
package enum InitSystem: String, CaseIterable, Sendable {
    /// Aerie's own script: a root shell at the console within seconds, and no services.
    case aerie
    /// systemd with its units, journal and control groups.
    case systemd

    /// udev finds devices, and D-Bus carries the requests of `systemctl` and `loginctl`.
    static let systemdPackages = ["systemd-sysv", "udev", "dbus"]
}
