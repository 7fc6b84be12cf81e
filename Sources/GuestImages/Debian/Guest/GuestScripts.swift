/// The programs of ours in a guest: small scripts, because a guest whose processor is emulated boots slowly enough.
///
/// Words on the kernel's command line steer them:
///
///     aerie.root=DEVICE|LABEL=NAME   the root disk (default: /dev/vda)
///     aerie.rootflags=OPTIONS        options of its mount
///     aerie.overlay                  changes go to memory; also without it when the disk is read-only
///     aerie.hostname=NAME
///     aerie.rows=N aerie.columns=N aerie.term=NAME   the terminal at the console
///     aerie.raw                      no echo and no line editing at the console
///     aerie.command=BASE64           run this instead of a shell: arguments, each with a zero byte after it; the agent with
///                                    `--command` runs what the host has put into the initial RAM disk
///     aerie.control=TTY              where the host speaks with the agent: a console's name, such as hvc0
///     aerie.grow                     let the root disk's file system fill the disk
///     aerie.watchdog                 serve the watchdog that the host gave the guest
///     aerie.share=TAG:ro|rw:DIRECTORY   mount a shared folder of the host
///     aerie.stage2                   finish the image's packages, once, during its build
enum GuestScripts {
    /// `/usr/lib/aerie/init`: process 1 of a guest without another init, for dash, which collects orphans while it waits.
    static let initProcess = #"""
        #!/bin/sh
        # Process 1: sets the system up, runs one program at the console, and powers off when it ends.
        # SIGUSR1 asks for halt, SIGUSR2 for power-off, SIGTERM and SIGINT for a restart.
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8
        export PATH LANG
        umask 022
        busy() {
            for process in /proc/[1-9]*; do
                [ "$process" != /proc/1 ] && [ -e "$process/exe" ] && return 0
            done
            return 1
        }
        # Asks what still runs to end, insists after two seconds, and ends the machine by the given action. It runs in the trap:
        # a flag could be set between a look at it and the wait for the program, which would go on.
        finish() {
            trap '' HUP INT TERM USR1 USR2
            if busy; then
                kill -s HUP -- -1
                kill -s TERM -- -1
                tries=0
                while [ "$tries" -lt 20 ] && busy; do
                    sleep 0.1
                    tries=$((tries + 1))
                done
                kill -s KILL -- -1
            fi
            sync
            mount -o remount,ro / 2>/dev/null
            sync
            status=0
            [ -f /run/aerie/status ] && read -r status </run/aerie/status
            if [ "$status" != 0 ] && [ "$1" = poweroff ]; then
                /usr/lib/aerie/end "$status"
            fi
            busybox "$1" -f
        }
        trap 'finish halt' USR1
        trap 'finish poweroff' USR2
        trap 'finish reboot' TERM INT

        # The initial RAM disk of this image leaves that mark, with words for what is there already.
        begun=
        if [ -e /run/aerie/begun ]; then
            read -r begun </run/aerie/begun
        else
            mkdir -p /dev/pts /dev/shm /run/lock /run/aerie
            mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
            mount -t tmpfs -o mode=1777,nosuid,nodev shm /dev/shm
            ln -sf /proc/self/fd /dev/fd
            ln -sf fd/0 /dev/stdin
            ln -sf fd/1 /dev/stdout
            ln -sf fd/2 /dev/stderr
        fi

        mode=shell
        read -r words </proc/cmdline
        case " $words " in *' aerie.stage2 '*) mode=stage2 ;; esac
        # The agent, which the initial RAM disk left in memory, needs no more than this. Its commands find the shared folders.
        agent() {
            case " $begun " in *" agent "*) return ;; esac
            if [ -x /run/aerie/agent ]; then /run/aerie/agent </dev/null >/dev/null 2>&1 & fi
        }
        case " $words" in
        *' aerie.share='*) . /usr/lib/aerie/setup && agent ;;
        *) agent; . /usr/lib/aerie/setup ;;
        esac
        # The network is there before anything could use it, unless it takes long.
        case "$mode $begun " in
        *" network "*) ;;
        shell*) [ -x /run/aerie/agent ] && /run/aerie/agent --networks </dev/null >/dev/null 2>&1 ;;
        esac
        # A shell starts its background jobs with SIGINT and SIGQUIT ignored, and only env can undo that: programs of a login
        # ignore no signal. setsid makes the job the leader of a session that has the terminal.
        env --default-signal setsid -c "/usr/lib/aerie/$mode" <"$tty" >"$tty" 2>&1 &
        child=$!
        # Memory goes back to the host, and comes from it, when the prompt is there: nobody waits for this.
        [ "$mode" = shell ] && (sleep 1 && exec nice modprobe -qa virtio_balloon virtio_mem) </dev/null >/dev/null 2>&1 &
        while kill -0 "$child" 2>/dev/null; do wait "$child"; done
        finish poweroff

        """#

    /// `/usr/lib/aerie/end`: ends the machine with a status other than 0, by the board's test device.
    static func end(_ architecture: ImageArchitecture) -> String {
        """
        #!/bin/sh
        exec busybox devmem 0x\(String(architecture.testDevice, radix: 16)) 32 $(($1 << 16 | 0x3333)) 2>/dev/null

        """
    }

    /// `/usr/lib/aerie/shell`: what stands at the console, as leader of a session of its own.
    static let shell = #"""
        #!/bin/sh
        # A root shell, or the command that the host asked for.
        rows= columns= term=vt220 raw= command=
        read -r words </proc/cmdline
        set -f
        for word in $words; do
            case $word in
            aerie.rows=*) rows=${word#*=} ;;
            aerie.columns=*) columns=${word#*=} ;;
            aerie.term=*) term=${word#*=} ;;
            aerie.raw) raw=yes ;;
            aerie.command=*) command=${word#*=} ;;
            esac
        done
        set +f
        stty sane ${rows:+rows "$rows"} ${columns:+columns "$columns"} 2>/dev/null
        [ -n "$raw" ] && stty raw -echo
        # A name that this system does not know would break every program that draws.
        known=
        for directory in /etc/terminfo /lib/terminfo /usr/lib/terminfo /usr/share/terminfo; do
            [ -e "$directory/$(printf %.1s "$term")/$term" ] && known=yes
        done
        [ -n "$known" ] || term=vt220
        export TERM="$term" HOME=/root USER=root LOGNAME=root SHELL=/bin/bash
        cd /root || exit
        if [ -n "$command" ]; then
            printf %s "$command" | base64 -d >/run/aerie/command
            # Ctrl-C is the command's: this shell outlives it, to note the status. A command starts without these traps.
            exec bash -c 'trap : INT QUIT; mapfile -d "" -t words </run/aerie/command
                "${words[@]}"
                echo $? >/run/aerie/status
                # The end of this shell hangs the terminal up, which drops output that the port has not sent: stty waits for it.
                (trap "" TTOU; stty "$(stty -g)") 2>/dev/null'
        fi
        exec /bin/bash --login

        """#

    /// `/usr/lib/aerie/network`: brings up the network devices that the host gave the guest.
    static let network = #"""
        #!/bin/sh
        # The agent asks for an address of every Ethernet device that has a link, unless the host has chosen one.
        [ -e /sys/module/virtio_net ] || modprobe -q virtio_net
        if [ -x /run/aerie/agent ]; then exec /run/aerie/agent --networks; fi

        """#

    /// `/usr/lib/aerie/dhcp`: what udhcpc calls with an address in its environment.
    static let dhcp = #"""
        #!/bin/sh
        # Takes over an address, routes and name servers. The router of a user network, 10.0.2.2, is the host's loopback.
        if [ -f /run/aerie/network ]; then
            # The host has chosen this card's address, perhaps since the client began.
            read -r own <"/sys/class/net/$interface/address"
            while read -r kind mac rest; do [ "$kind $mac" = "address $own" ] && exit; done </run/aerie/network
        fi
        case $1 in
        deconfig) ip -4 address flush dev "$interface" ;;
        bound | renew)
            {
                echo "address replace $ip/${mask:-24} dev $interface"
                # A larger window brings bursts that passt's socket does not take; the host's end of a connection is near.
                window= metric=
                # A card that is plugged into a guest with a way out leaves that way as it is.
                while read -r card destination rest; do
                    [ "$destination" = 00000000 ] && [ "$card" != "$interface" ] && metric="metric 1024"
                done </proc/net/route
                if [ "$router" = 10.0.2.2 ]; then
                    window="window 262144"
                    echo "route replace $router dev $interface $window $metric"
                fi
                for gateway in $router; do echo "route replace default via $gateway dev $interface $window $metric"; done
            } | ip -batch -
            {
                [ -n "$domain" ] && echo "search $domain"
                for server in $dns; do echo "nameserver $server"; done
            } >/etc/resolv.conf
            {
                busybox sed '/[[:space:]]host\.aerie\.internal$/d' /etc/hosts
                if [ "$router" = 10.0.2.2 ]; then echo "$router	host.aerie.internal"; fi
            } >/run/aerie/hosts && cat /run/aerie/hosts >/etc/hosts
            ;;
        esac

        """#

    /// `/usr/local/sbin/poweroff`, `reboot` and `halt`: signals to process 1; with `-f`, at once.
    static let power = #"""
        #!/bin/sh
        # Ends the guest. Options other than -f are taken and ignored.
        action=${0##*/}
        for word; do
            if [ "$word" = -f ] || [ "$word" = --force ]; then
                sync
                exec busybox "$action" -f
            fi
        done
        case $action in
        halt) signal=USR1 ;;
        poweroff) signal=USR2 ;;
        *) signal=TERM ;;
        esac
        kill -s "$signal" 1

        """#

    /// `/usr/lib/aerie/stage2`: finishes the installation of the packages that the host only unpacked.
    static let stage2 = #"""
        #!/bin/sh
        # Runs the packages' own scripts, which are programs of this architecture.
        stty sane -echo columns 200 2>/dev/null
        state=/var/lib/aerie/stage2
        # No package starts its services: this is not the system that will run.
        printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
        chmod 755 /usr/sbin/policy-rc.d
        export DEBIAN_FRONTEND=noninteractive DEBCONF_NONINTERACTIVE_SEEN=true DEBCONF_NOWARNINGS=yes
        export DPKG_MAINTSCRIPT_ARCH DPKG_MAINTSCRIPT_NAME DPKG_MAINTSCRIPT_PACKAGE LC_ALL=C.UTF-8 HOME=/root
        fail() {
            echo "aerie-stage2: failed: $1"
            exit 1
        }
        # At a first installation no command of this helper does anything, but each starts many programs.
        mkdir -p /run/aerie/first
        printf '#!/bin/sh\nexit 0\n' >/run/aerie/first/dpkg-maintscript-helper
        chmod 755 /run/aerie/first/dpkg-maintscript-helper
        usual=$PATH
        PATH=/run/aerie/first:$PATH
        DPKG_MAINTSCRIPT_ARCH=$(dpkg --print-architecture) || fail "dpkg does not run"
        DPKG_MAINTSCRIPT_NAME=preinst
        while read -r name info; do
            echo "aerie-stage2: preparing $name"
            DPKG_MAINTSCRIPT_PACKAGE=$name
            "/var/lib/dpkg/info/$info.preinst" install </dev/null || fail "the preinst script of $name"
        done <"$state/preinst"
        unset DPKG_MAINTSCRIPT_ARCH DPKG_MAINTSCRIPT_NAME DPKG_MAINTSCRIPT_PACKAGE
        dpkg --force-unsafe-io --configure -a </dev/null || fail "dpkg --configure -a"
        PATH=$usual
        # The host enabled the certificates; only their links by hash need a program of this architecture.
        if [ -d /etc/ssl/certs ] && command -v openssl >/dev/null; then
            openssl rehash /etc/ssl/certs || fail "openssl rehash"
        fi
        if [ -d "$state/packages" ]; then
            # Nothing is fetched: without sources, apt knows no other packages than these. (With --no-download it takes no
            # file whose name it has to quote.)
            apt-get -q -y --no-install-recommends -o Dpkg::Options::=--force-unsafe-io \
                -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts=/dev/null \
                -o Dpkg::Use-Pty=0 install "$state"/packages/*.deb </dev/null || fail "apt-get install"
        fi
        # Each machine makes its own at its first start.
        if [ -f /etc/machine-id ]; then
            : >/etc/machine-id
        else
            echo uninitialized >/etc/machine-id
            chmod 444 /etc/machine-id
        fi
        rm -f /var/lib/dbus/machine-id /usr/sbin/policy-rc.d /etc/ssh/ssh_host_*_key /etc/ssh/ssh_host_*_key.pub
        rm -rf "$state" /var/lib/dpkg/status-old /var/cache/debconf/*-old /tmp/* /root/.bash_history
        cp /var/lib/dpkg/status /var/lib/dpkg/status-old
        echo complete >/var/lib/aerie/configured
        echo "aerie-stage2: complete"

        """#
}
