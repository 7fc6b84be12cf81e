extension GuestScripts {
    /// Files of an image whose process 1 is systemd, by their paths. The agent's unit comes with the initial RAM disk at each start.
    static let systemd: [(path: String, mode: UInt32, text: String)] = [
        ("etc/systemd/system/aerie-setup.service", 0o644, setupUnit),
        ("etc/systemd/system/aerie-network.service", 0o644, networkUnit),
        ("etc/systemd/system/aerie-console.service", 0o644, consoleUnit),
        ("usr/lib/aerie/console", 0o755, console),
        ("usr/lib/systemd/system-shutdown/aerie", 0o755, shutdown),
    ]

    /// Links that make systemd start our units.
    static let systemdLinks = [
        ("etc/systemd/system/sysinit.target.wants/aerie-setup.service", "../aerie-setup.service"),
        ("etc/systemd/system/multi-user.target.wants/aerie-network.service", "../aerie-network.service"),
        ("etc/systemd/system/multi-user.target.wants/aerie-console.service", "../aerie-console.service"),
    ]

    /// What systemd has to know on the kernel's command line: it is the init, and the console belongs to our unit, the first virtio
    /// console to the host.
    static let systemdWords = "init=/sbin/init systemd.getty_auto=no"

    private static let setupUnit = """
        [Unit]
        Description=Settings of the virtual machine's host
        DefaultDependencies=no
        After=local-fs.target systemd-remount-fs.service
        Before=sysinit.target shutdown.target
        Conflicts=shutdown.target
        [Service]
        Type=oneshot
        RemainAfterExit=yes
        ExecStart=/usr/lib/aerie/setup

        """

    private static let networkUnit = """
        [Unit]
        Description=Networks of the virtual machine's host
        After=aerie-setup.service
        Before=network.target network-online.target
        Wants=network.target
        [Service]
        Type=oneshot
        RemainAfterExit=yes
        ExecStart=/usr/lib/aerie/network
        [Install]
        WantedBy=multi-user.target

        """

    private static let consoleUnit = """
        [Unit]
        Description=Console of the virtual machine
        After=aerie-setup.service aerie-network.service systemd-user-sessions.service
        [Service]
        Environment=LANG=C.UTF-8
        ExecStart=/usr/lib/aerie/console
        ExecStopPost=-/usr/bin/systemctl --no-block poweroff
        StandardOutput=null
        StandardError=journal
        KillMode=mixed
        SendSIGHUP=yes
        IgnoreSIGPIPE=no
        [Install]
        WantedBy=multi-user.target

        """

    /// `/usr/lib/aerie/console`: the shell or the command at the console.
    private static let console = #"""
        #!/bin/sh
        # Programs at the console have a session of their own, whose terminal it is. The machine ends with them.
        \#(findConsole)
        exec setsid -c -w /usr/lib/aerie/shell <"$tty" >"$tty" 2>&1

        """#

    /// `/usr/lib/systemd/system-shutdown/aerie`: what systemd runs last. The status of the console's command becomes the machine's.
    private static let shutdown = #"""
        #!/bin/sh
        [ "$1" = poweroff ] && [ -f /run/aerie/status ] && read -r status </run/aerie/status || exit 0
        if [ "$status" != 0 ]; then /usr/lib/aerie/end "$status"; fi

        """#
}
