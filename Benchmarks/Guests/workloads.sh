# What large programs and many processes do in Debian: marks as in MarkedRun.swift. The files of this benchmark lie in
# /tmp/bench. A load whose program is not in the image is left out.
cd /tmp/bench
export LC_ALL=C

# NAME COMMAND...: runs the command and says the sum of its output.
load() {
    name=$1
    shift
    echo "@begin $name"
    result=$("$@" 2>&1 | md5sum)
    echo "@end $name"
    echo "@result $name $result"
}

# A shell that starts many small programs, as configure scripts do.
processes() {
    i=0
    while [ $i -lt 150 ]; do
        x=$(echo "$i" | sed 's/1/one/' | tr o 0)
        [ -d "/usr/$x" ] || i=$((i + 1))
        echo "$x"
    done
}

compile() {
    for file in *.c; do gcc -O2 -ffreestanding -fno-math-errno -S -o - "$file"; done
}

packages() {
    dpkg-query -W
    dpkg -l
    dpkg --verify libc6 coreutils
}

dependencies() {
    apt-get check
    apt-cache dump
    apt-get -s purge coreutils
}

texts() {
    cat /usr/share/common-licenses/* /var/lib/dpkg/info/*.list | tr -s ' /' '\n\n' | sort | uniq -c | sort -rn
}

pack() {
    tar -c --mtime=@0 /usr/lib/apt /usr/bin/dpkg* /usr/share/perl5 2>/dev/null | gzip -n
}

echo
echo @init
sleep 1
load processes processes
load dpkg packages
load apt dependencies
load sort texts
load gzip pack
if command -v perl >/dev/null; then load perl perl program.pl; fi
if command -v python3 >/dev/null; then
    load python python3 -I -S program.py
    load pycompile python3 -I -c 'import py_compile, glob
for name in sorted(glob.glob("/usr/lib/python3*/*.py"))[:25]: print(name, py_compile.compile(name, cfile="/tmp/bench/out", doraise=True))'
fi
if command -v gcc >/dev/null; then load gcc compile; fi
echo @done
exit 0
