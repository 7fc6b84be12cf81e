extension GuestScripts {
    /// Leaves the console's device in `tty`.
    static let findConsole = #"""
        read -r active </sys/class/tty/console/active
        tty=/dev/${active##* }
        [ "$tty" = /dev/tty0 ] && tty=/dev/tty1
        [ -c "$tty" ] || tty=/dev/console
        """#

    /// `/usr/lib/aerie/setup`: does what the words on the command line say about the system. Our init reads it as a part of itself, and a
    /// unit of systemd runs it. It leaves the console's device in `tty`.
    static let setup = #"""
        #!/bin/sh
        # Host name, the root disk's size, the watchdog, shared folders.
        read -r hostname </etc/hostname
        read -r words </proc/cmdline
        grow= watchdog= shares=
        set -f
        for word in $words; do
            case $word in
            aerie.hostname=*) hostname=${word#*=} ;;
            aerie.grow) grow=yes ;;
            aerie.watchdog) watchdog=yes ;;
            aerie.share=*) shares="$shares ${word#*=}" ;;
            esac
        done
        set +f
        # A copy of a machine that was booting has got its own name already.
        [ -e /run/aerie/named ] && read -r hostname </etc/hostname
        echo "$hostname" >/proc/sys/kernel/hostname
        known= newline=
        while read -r address names || { [ -n "$address" ] && newline='\n'; }; do
            for name in $names; do [ "$name" = "$hostname" ] && known=yes; done
        done </etc/hosts
        [ -n "$known" ] || printf "$newline"'127.0.1.1\t%s\n' "$hostname" >>/etc/hosts
        \#(findConsole)

        if [ -n "$grow" ]; then
            # The last file system that was mounted at / is the root; it is no disk where an overlay hides it.
            device=
            while read -r source place rest; do [ "$place" = / ] && device=$source; done </proc/mounts
            if [ -b "$device" ]; then
                resize2fs "$device" >/run/aerie/grow 2>&1 || echo "aerie: the file system on $device cannot grow" >"$tty"
            fi
        fi
        if [ -n "$watchdog" ]; then
            # The kernel of each architecture has one of these drivers.
            modprobe -q sunxi_wdt
            modprobe -q i6300esb
            busybox watchdog -T 16 -t 4 /dev/watchdog0 || echo "aerie: there is no watchdog to serve" >"$tty"
        fi
        set -f
        for share in $shares; do
            rest=${share#*:}
            directory=${rest#*:}
            [ -d "$directory" ] || mkdir -p "$directory"
            busybox mount -t virtiofs -o "${rest%%:*},nodev" "${share%%:*}" "$directory" 2>/run/aerie/share ||
                echo "aerie: the shared folder ${share%%:*} cannot be mounted at $directory: $(cat /run/aerie/share)" >"$tty"
        done
        set +f
        # An image has no keys of a machine.
        if [ -x /usr/sbin/sshd ] && ! [ -f /etc/ssh/ssh_host_ed25519_key ]; then ssh-keygen -q -A; fi

        """#
}
