# What a shared folder does in Debian: marks as in MarkedRun.swift. The folder has a tree of FILES files; the results are files in a second.
export LC_ALL=C
now() { read -r up rest </proc/uptime; echo "$up"; }

# NAME COUNT COMMAND: runs a command that does something with COUNT files, with empty caches.
load() {
    name=$1 count=$2
    shift 2
    sync
    echo 3 >/proc/sys/vm/drop_caches
    echo "@begin $name"
    from=$(now)
    "$@" >/tmp/output || { echo "@failed $name"; return; }
    to=$(now)
    echo "@end $name"
    echo "@result $name $(echo "$from $to $count" | awk '{ printf "%.1f", $3 / ($2 > $1 ? $2 - $1 : 0.01) }')"
}

make() {
    mkdir -p "$1" && cd "$1" || return
    i=0
    while [ $i -lt $SMALL ]; do
        echo $i >$i
        i=$((i + 1))
    done
    cd /
}

echo
echo "@init"
mkdir -p /mnt/share
mount -t virtiofs share0 /mnt/share || echo "@failed mount"
load share-find $FILES find /mnt/share/tree -type f
load share-stat $FILES find /mnt/share/tree -type f -size +100k
load share-read $FILES sh -c 'find /mnt/share/tree -type f -print0 | xargs -0 cat | wc -c'
if command -v git >/dev/null && [ -d /mnt/share/tree/.git ]; then
    load share-git-status $FILES git -c safe.directory='*' -c core.fileMode=false -C /mnt/share/tree status --short
fi
load share-create $SMALL make /mnt/share/small
load share-delete $SMALL rm -r /mnt/share/small
load disk-create $SMALL make /var/tmp/small
load disk-delete $SMALL rm -r /var/tmp/small
echo "@done"
