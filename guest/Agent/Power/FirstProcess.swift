/// The agent as process 1 of an image without an init: sets up what programs expect, and ends the system.
enum FirstProcess {
    /// Mounts the kernel's file systems where they are absent, and brings the loopback up.
    static func begin() {
        _ = system(SystemCall.umask, 0o022)
        mount("proc", "/proc", "proc", needed: "/proc/self")
        mount("sysfs", "/sys", "sysfs", needed: "/sys/kernel")
        mount("devtmpfs", "/dev", "devtmpfs", needed: "/dev/null")
        mountDevices()
        mount("tmpfs", "/run", "tmpfs", needed: "/run/aerie", options: "mode=755")
        mount("tmpfs", "/tmp", "tmpfs", needed: nil, options: "mode=1777")
        Network.bringUpLoopback()
    }

    /// What programs expect in /dev besides the kernel's devices.
    static func mountDevices() {
        mount("devpts", "/dev/pts", "devpts", needed: "/dev/pts/ptmx", options: "gid=5,mode=620,ptmxmode=666")
        mount("tmpfs", "/dev/shm", "tmpfs", needed: nil, options: "nodev,mode=1777")
        link("/proc/self/fd", "/dev/fd")
        link("fd/0", "/dev/stdin")
        link("fd/1", "/dev/stdout")
        link("fd/2", "/dev/stderr")
    }

    /// Nothing here has set-ID bits.
    @inline(never)
    private static func mount(
        _ source: StaticString, _ target: StaticString, _ type: StaticString, needed: StaticString?,
        options: StaticString = ""
    ) {
        if let needed, FileAccess.exists(needed) { return }
        Mount.makeDirectory(target)
        var all = [UInt8]("nosuid,")
        all.add(options)
        try? Mount.attach([UInt8](source), at: [UInt8](target), type: type, options: all)
    }

    private static func link(_ target: StaticString, _ path: StaticString) {
        _ = system(SystemCall.symlinkat, Int(target.utf8Start), OpenFlags.here, Int(path.utf8Start))
    }

    /// Ends every process and the system. Returns only where the kernel refuses.
    static func end(_ action: SystemEnd.Action) {
        Process.signal(-1, Process.Signal.hangUp)
        Process.signal(-1, Process.Signal.terminate)
        // Two seconds for programs to end by themselves.
        var tries = 0
        while tries < 20, hasOthers() {
            Clock.sleep(milliseconds: 100)
            tries += 1
        }
        Process.signal(-1, Process.Signal.kill)
        _ = system(SystemCall.sync)
        let root: StaticString = "/"
        let remountReadOnly = 32 | 1
        _ = system(SystemCall.mount, 0, Int(root.utf8Start), 0, remountReadOnly, 0)
        SystemEnd.endKernel(action)
    }

    private static func hasOthers() -> Bool {
        while Process.collect() != nil {}
        // Signal 0 to everybody else finds out whether there is anybody.
        return system(SystemCall.kill, -1, 0) == 0
    }
}
