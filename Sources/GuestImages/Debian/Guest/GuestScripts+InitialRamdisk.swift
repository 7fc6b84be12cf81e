extension GuestScripts {
    /// `/init` of the initial RAM disk, for busybox's shell: finds the root disk and hands over to its init.
    ///
    /// The host adds `/bin/aerie-agent`, and the newest form of this script, at each start of a guest; `/aerie-command`, the record of the
    /// machine's command for the agent; and `/aerie-network`, addresses and names for the agent. The agent is process 1 of a system
    /// without an init, a unit beside systemd, started by our own init, and a plain process beside any other init.
    static let initialRamdisk = #"""
        #!/bin/sh
        # Loads what the root disk needs, mounts it, and becomes the init on it.
        bb() { /bin/busybox "$@"; }
        load() {
            [ -f "/lib/modules/$1" ] || return
            while read -r module; do bb insmod "/lib/modules/$module.ko" 2>/dev/null; done <"/lib/modules/$1"
        }
        die() {
            echo "aerie: $1; powering off" >/dev/console
            bb sync
            bb poweroff -f
        }

        bb mount -t proc proc /proc
        bb mount -t sysfs sysfs /sys
        bb mount -t devtmpfs dev /dev
        bb mount -t tmpfs -o mode=0755,nosuid,nodev run /run

        root=/dev/vda flags= mode=rw overlay= init= stage2=
        set -f
        for word in $(bb cat /proc/cmdline); do
            case $word in
            aerie.root=*) root=${word#*=} ;;
            aerie.rootflags=*) flags=,${word#*=} ;;
            aerie.overlay) overlay=yes ;;
            aerie.stage2) stage2=yes ;;
            init=*) init=${word#*=} ;;
            ro) mode=ro ;;
            rw) mode=rw ;;
            esac
        done
        set +f
        load boot
        loaded=
        for id in /sys/bus/virtio/devices/*/device; do
            [ -e "$id" ] && read -r id <"$id" || continue
            case $id in
            0x0001) list=network ;;
            0x0013) list=socket ;;
            0x001a) list=share ;;
            *) continue ;;
            esac
            case "$loaded " in *" $list "*) continue ;; esac
            loaded="$loaded $list"
            load "$list"
        done

        # Devices appear while the drivers look for them.
        tries=0 device=
        while :; do
            case $root in
            LABEL=* | UUID=*) device=$(bb findfs "$root" 2>/dev/null) ;;
            *) device=$root ;;
            esac
            [ -n "$device" ] && [ -b "$device" ] && break
            tries=$((tries + 1))
            [ "$tries" -gt 100 ] && die "the root disk $root did not appear"
            bb usleep 100000
        done
        if [ "$(bb cat "/sys/class/block/${device##*/}/ro" 2>/dev/null)" = 1 ]; then overlay=yes; fi

        bb mkdir -p /root
        if [ -n "$overlay" ]; then
            load overlay
            bb mkdir -p /run/aerie/lower /run/aerie/upper
            bb mount -t ext4 -o "ro$flags" "$device" /run/aerie/lower || die "the root disk $device cannot be mounted"
            bb mount -t tmpfs -o mode=0755 changes /run/aerie/upper
            bb mkdir /run/aerie/upper/files /run/aerie/upper/work
            bb mount -t overlay -o lowerdir=/run/aerie/lower,upperdir=/run/aerie/upper/files,workdir=/run/aerie/upper/work \
                root /root || die "the root disk's overlay cannot be mounted"
        else
            bb mount -t ext4 -o "$mode$flags" "$device" /root || die "the root disk $device cannot be mounted"
        fi
        # A link may lead to what is there only after the change of the root.
        present() { [ -x "/root$1" ] || [ -L "/root$1" ]; }
        agent= beside= found= asks=
        if [ -f /bin/aerie-agent ]; then
            agent=/run/aerie/agent
            bb mkdir -p /run/aerie
            bb cp /bin/aerie-agent $agent
            bb chmod 755 $agent
        fi
        if [ -n "$agent" ] && [ -f /aerie-command ]; then
            bb cp /aerie-command /run/aerie/command.exec
            bb chmod 600 /run/aerie/command.exec
        fi
        if [ -n "$agent" ] && [ -f /aerie-network ]; then
            # Addresses and names are there before the guest's first program is.
            bb cp /aerie-network /run/aerie/network
            $agent --network /aerie-network /root/etc/hosts 2>/dev/console
        fi
        if [ -n "$agent" ] && [ -f /root/usr/lib/aerie/network ]; then
            # The image's own programs may be of an earlier version: they ask for addresses on every card, and leave the mark of a boot as it is.
            { read -r line; read -r line; } </root/usr/lib/aerie/network
            case $line in
            *aerie/booting*) ;;
            *)
                for program in network dhcp; do
                    [ -f "/root/usr/lib/aerie/$program" ] || continue
                    bb cp "/bin/aerie-$program" "/run/aerie/$program.sh"
                    bb chmod 755 "/run/aerie/$program.sh"
                    bb mount -o bind "/run/aerie/$program.sh" "/root/usr/lib/aerie/$program"
                done
                ;;
            esac
        fi
        for candidate in ${init:-/usr/lib/aerie/init /sbin/init}; do
            if [ -z "$found" ] && present "$candidate"; then found=$candidate; fi
        done
        if [ -n "$found" ] && [ -n "$agent" ]; then
            case $(bb readlink "/root$found") in
            *systemd)
                units=/run/systemd/system
                bb mkdir -p $units/multi-user.target.wants
                {
                    echo "[Unit]"
                    echo "Description=Agent of the virtual machine's host"
                    echo "[Service]"
                    echo "ExecStartPre=-/sbin/modprobe -q vmw_vsock_virtio_transport"
                    echo "ExecStart=$agent"
                    echo "Restart=always"
                    echo "OOMScoreAdjust=-1000"
                    echo "TasksMax=infinity"
                    # Commands of the host outlive a restart of the agent.
                    echo "KillMode=process"
                } >$units/aerie-agent.service
                bb ln -sf ../aerie-agent.service $units/multi-user.target.wants/aerie-agent.service
                [ -f /root/etc/systemd/system/multi-user.target.wants/aerie-network.service ] && asks=yes
                ;;
            *)
                bb grep -q aerie/agent "/root$found" 2>/dev/null || beside=yes
                [ "$found" = /usr/lib/aerie/init ] && [ -z "$stage2" ] && asks=yes
                ;;
            esac
            # Commands of the agent wait until the program for networks empties it.
            [ -n "$asks" ] && [ -f /root/usr/lib/aerie/network ] && echo "The network is coming up." >/run/aerie/booting
        fi
        [ -z "$found" ] && [ -z "$init" ] && found=$agent
        [ -n "$found" ] || die "there is no ${init:-/usr/lib/aerie/init} on the root disk"
        bb mount -o move /proc /root/proc
        bb mount -o move /sys /root/sys
        bb mount -o move /dev /root/dev
        bb mount -o move /run /root/run
        if [ -n "$beside" ]; then
            # An image of an earlier version has the driver of sockets only on its root disk.
            bb chroot /root /bin/sh -c "modprobe -q vmw_vsock_virtio_transport; exec $agent" </dev/null >/dev/null 2>&1 &
        fi
        exec /bin/busybox switch_root /root "$found"

        """#
}
