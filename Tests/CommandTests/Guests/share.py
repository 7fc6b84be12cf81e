# Uses a shared folder as programs do, on the folder's own directory, and prints a line for each part that holds.
import errno, fcntl, hashlib, mmap, os, sqlite3, stat, subprocess, sys, threading, time

os.chdir(sys.argv[1])


def line(text):
    print("share", text, flush=True)


def digest(root):
    # Names, types, modes, links' targets and contents of a tree.
    sums = hashlib.sha256()
    for directory, names, files in sorted(os.walk(root)):
        for name in sorted(names + files):
            path = os.path.join(directory, name)
            status = os.lstat(path)
            sums.update(f"{os.path.relpath(path, root)} {status.st_mode:o}\n".encode())
            if stat.S_ISLNK(status.st_mode):
                sums.update(os.readlink(path).encode())
            elif stat.S_ISREG(status.st_mode):
                with open(path, "rb") as file:
                    sums.update(file.read())
    return sums.hexdigest()


def fails(code, body):
    try:
        body()
    except OSError as error:
        return error.errno == code
    return False


# A tree of the host's, copied away and back.
subprocess.check_call(["cp", "-a", "tree", "/tmp/tree"])
subprocess.check_call(["cp", "-a", "/tmp/tree", "back"])
assert digest("tree") == digest("/tmp/tree") == digest("back")
line("tree " + digest("tree"))

# Owners and modes.
with open("owned", "w") as file:
    file.write("owned")
assert os.stat("owned").st_uid == 0
os.chown("owned", 1000, 1001)
os.chmod("owned", 0o4750)
status = os.stat("owned")
assert (status.st_uid, status.st_gid, status.st_mode & 0o7777) == (1000, 1001, 0o4750)
os.chmod("owned", 0o000)
assert open("owned").read() == "owned"
os.setxattr("owned", "user.color", b"blue")
assert os.listxattr("owned") == ["user.color"]
line("owners")

# Names.
os.symlink("owned", "symlink")
os.link("owned", "hard")
assert os.stat("hard").st_ino == os.stat("owned").st_ino and os.stat("hard").st_nlink == 2
assert open("symlink").read() == "owned"
os.rename("hard", "renamed")
assert fails(errno.ENOENT, lambda: os.stat("hard"))
assert fails(errno.ENOTEMPTY, lambda: os.rmdir("back"))
# Root moves files whatever the directories' modes say.
for name in ["locked-1", "locked-2"]:
    os.mkdir(name)
open("locked-1/a", "w").close()
for name in ["locked-1", "locked-2"]:
    os.chmod(name, 0o555)
os.rename("locked-1/a", "locked-2/b")
os.unlink("locked-2/b")
assert os.stat("locked-2").st_mode & 0o7777 == 0o555
os.mkfifo("fifo")
reader = threading.Thread(target=lambda: setattr(threading, "got", open("fifo").read()))
reader.start()
with open("fifo", "w") as fifo:
    fifo.write("through")
reader.join()
assert threading.got == "through"
assert fails(errno.EPERM, lambda: os.mknod("device", stat.S_IFCHR | 0o600, os.makedev(1, 3)))
line("names")

# Files without a name.
file = open("unlinked", "w+b")
os.unlink("unlinked")
file.write(b"still here")
file.flush()
assert os.fstat(file.fileno()).st_size == 10 and os.fstat(file.fileno()).st_nlink == 0
file.seek(0)
assert file.read() == b"still here"
file.close()
unnamed = os.open(".", os.O_TMPFILE | os.O_RDWR, 0o600)
os.write(unnamed, b"unnamed")
# Only with a directory does Python's link follow the symbolic link.
os.link(str(unnamed), "named", src_dir_fd=os.open("/proc/self/fd", os.O_RDONLY), follow_symlinks=True)
assert open("named").read() == "unnamed"
line("unlinked")

# Shared mappings, seen by reads and by the host.
with open("mapped", "w+b") as file:
    file.truncate(3 * 4096)
    view = mmap.mmap(file.fileno(), 3 * 4096)
    other = mmap.mmap(file.fileno(), 3 * 4096)
    view[4096:4101] = b"hello"
    assert other[4096:4101] == b"hello"
    assert os.pread(file.fileno(), 5, 4096) == b"hello"
    os.pwrite(file.fileno(), b"J", 4096)
    assert view[4096:4101] == b"Jello"
    view.flush()
line("mapped")

database = sqlite3.connect("data.db")
assert database.execute("pragma journal_mode=wal").fetchone() == ("wal",)
database.execute("create table numbers (number integer)")
second = sqlite3.connect("data.db")
for round in range(5):
    database.executemany("insert into numbers values (?)", [(n,) for n in range(200)])
    database.commit()
    assert second.execute("select count(*) from numbers").fetchone() == (200 * (round + 1),)
second.close()
database.close()
line("sqlite")

# Holes, durability, direct access, locks.
with open("sparse", "w+b") as file:
    file.seek(1 << 30)
    file.write(b"end")
    file.flush()
    os.fsync(file.fileno())
    assert os.stat("sparse").st_blocks < 1000
    assert os.lseek(file.fileno(), 0, os.SEEK_DATA) > 0
    os.posix_fallocate(file.fileno(), 0, 4096)
direct = os.open("direct", os.O_CREAT | os.O_RDWR | os.O_DIRECT)
page = mmap.mmap(-1, 4096)
page.write(b"d" * 4096)
assert os.write(direct, page) == 4096
assert os.copy_file_range(direct, os.open("copied", os.O_CREAT | os.O_RDWR), 4096, 0, 0) == 4096
first = open("lock", "w")
fcntl.flock(first, fcntl.LOCK_EX)
assert fails(errno.EWOULDBLOCK, lambda: fcntl.flock(open("lock"), fcntl.LOCK_EX | fcntl.LOCK_NB))
line("space")

# Many files.
os.mkdir("many")
for number in range(2000):
    with open(f"many/{number}", "w") as file:
        file.write(str(number))
assert sorted(int(name) for name in os.listdir("many")) == list(range(2000))
for entry in os.scandir("many"):
    assert entry.stat().st_size == len(entry.name)
    os.unlink(entry.path)
os.rmdir("many")
line("many")

# A repository of git's.
def git(*words):
    return subprocess.check_output(
        ["git", "-c", "user.name=a", "-c", "user.email=b", "-c", "safe.directory=*", "-C", "back", *words], text=True)


git("init", "-q")
git("add", ".")
git("commit", "-q", "-m", "first")
assert git("status", "--short") == ""
line("git")

# The read-only folder.
assert fails(errno.EROFS, lambda: open(sys.argv[2] + "/new", "w"))
assert open(sys.argv[2] + "/file").read() == "read only"
line("read-only")

# What the host does, soon.
open("ready", "w").close()
while not os.path.exists("from-host"):
    time.sleep(0.05)
assert open("from-host").read() == "first"
with open("from-guest", "w") as file:
    file.write("seen")
while open("from-host").read() != "second version":
    time.sleep(0.05)
line("host")
