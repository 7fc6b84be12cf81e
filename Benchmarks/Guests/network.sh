# TCP between Debian and the host's loopback: marks as in MarkedRun.swift. The results are bytes in a second.
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
tries=0
until ip -4 route get 10.0.2.2 >/dev/null 2>&1 || [ $tries -gt 600 ]; do
    sleep 0.1
    tries=$((tries + 1))
done
load network-receive "exec 3<>/dev/tcp/10.0.2.2/$SOURCE; test \$(head -c $BYTES <&3 | wc -c) = $BYTES"
load network-send "exec 3<>/dev/tcp/10.0.2.2/$SINK; head -c $BYTES /dev/zero >&3; exec 3>&-"
echo "@done"
