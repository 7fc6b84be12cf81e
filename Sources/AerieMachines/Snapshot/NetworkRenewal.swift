internal import Aerie

/// Lets a copied guest ask for new addresses on networks that it shares with others.
///
/// A user network is a machine's own and has the same addresses in each. On TAP interfaces and switches, the address of a lease is another
/// machine's. The first SIGUSR1 makes busybox's DHCP client ask for its old address under the new MAC address, the second one makes it drop
/// the address and begin anew; a client without a lease ignores both. Neither gives the old lease back, which belongs to the other machine.
enum NetworkRenewal {
    /// For `sh -c`; its arguments are the MAC addresses of the cards.
    static let script = #"""
        for mac; do for device in /sys/class/net/*; do
            read -r address <"$device/address" && [ "$address" = "$mac" ] || continue
            interface=${device##*/}
            mode=/proc/sys/net/ipv6/conf/$interface/addr_gen_mode
            if [ -w "$mode" ]; then
                ip -6 address flush dev "$interface" scope link
                # The kernel makes the addresses anew, from the new MAC address, when the mode changes.
                read -r was <"$mode"; echo 1 >"$mode"; echo "$was" >"$mode"
            fi
            for process in /proc/[0-9]*; do
                # Its first test starts no program: guests have many processes.
                read -r command <"$process/comm" 2>/dev/null || continue
                case $command in udhcpc | busybox) ;; *) continue ;; esac
                words=$(tr '\0' ' ' <"$process/cmdline" 2>/dev/null)
                case $words in
                *udhcpc*" -i $interface "*)
                    id=${process#/proc/}
                    (kill -USR1 "$id"; sleep 1; kill -USR1 "$id") </dev/null >/dev/null 2>&1 & ;;
                esac
            done
        done; done

        """#

    /// The MAC addresses of cards on shared networks.
    static func addresses(_ cards: [NetworkCard]) -> [String] {
        cards.filter { $0.network != .user }.compactMap(\.macAddress)
    }
}
