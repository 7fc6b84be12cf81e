# TCP between Debian and servers of the host at HOST: marks as in MarkedRun.swift. The results are bytes in a second. GUEST is the guest's
# address where no DHCP server gives one.
export LC_ALL=C
now() { read -r up rest </proc/uptime; echo "$up"; }

# NAME COMMAND: transfers BYTES bytes.
load() {
    name=$1
    shift
    echo "@begin $name"
    from=$(now)
    bash -c "$*" || { echo "@failed $name"; return; }
    to=$(now)
    echo "@end $name"
    echo "@result $name $(echo "$from $to $BYTES" | awk '{ printf "%.0f", $3 / ($2 > $1 ? $2 - $1 : 0.01) }')"
}

echo
echo "@init"
[ -z "$GUEST" ] || { ip link set eth0 up && ip address add "$GUEST" dev eth0; }
tries=0
until ip -4 route get "$HOST" >/dev/null 2>&1 || [ $tries -gt 600 ]; do
    sleep 0.1
    tries=$((tries + 1))
done
load network-receive "exec 3<>/dev/tcp/$HOST/$SOURCE; test \$(head -c $BYTES <&3 | wc -c) = $BYTES"
load network-send "exec 3<>/dev/tcp/$HOST/$SINK; head -c $BYTES /dev/zero >&3; exec 3>&-"
echo "@done"
