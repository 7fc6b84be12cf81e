# What a disk does in Debian: marks as in MarkedRun.swift. The disk is the guest's third; every load that reads from the host's
# medium has a part of it of its own, which the host has not read before.
export LC_ALL=C
disk=/dev/vdc
part=256

# NAME DIRECTION SIZE DEPTH PART: runs fio on one part of the disk and says the operations in a second and the bytes in a second.
load() {
    name=$1
    echo "@begin $name"
    line=$(fio --name=load --filename=$disk --direct=1 --ioengine=libaio --rw="$2" --bs="$3" --iodepth="$4" \
        --offset=$(($5 * part))m --size=${part}m --time_based --runtime="$SECONDS_EACH" --randseed=1 \
        --output-format=terse --terse-version=3 2>&1 | grep '^3;') || { echo "@failed $name: fio"; return; }
    echo "@end $name"
    case $2 in
    *read) echo "@result $name $(echo "$line" | cut -d ';' -f 8)" ;;
    *) echo "@result $name $(echo "$line" | cut -d ';' -f 49)" ;;
    esac
}

echo
echo "@init"
command -v fio >/dev/null || echo "@failed fio is not in the image"
load randread-4k-1 randread 4k 1 0
load randread-4k-32 randread 4k 32 1
load read-1m-4 read 1m 4 2
load cached-randread-4k-1 randread 4k 1 2
load cached-randread-4k-32 randread 4k 32 2
load randwrite-4k-1 randwrite 4k 1 2
load randwrite-4k-32 randwrite 4k 32 2
load write-1m-4 write 1m 4 3
echo "@done"
