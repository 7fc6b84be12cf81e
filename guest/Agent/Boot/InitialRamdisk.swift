import Support

/// The agent as `/init` of the initial RAM disk: loads what the root disk needs, mounts it, and becomes the init on it.
///
/// One process does what a script would start a hundred for. The host adds files to the RAM disk at each start: the newest form of this
/// program; `/aerie-command`, the record of the machine's command; and `/aerie-network`, addresses and names. The agent is process 1 of a
/// system without an init, a unit beside systemd, started by our own init or before it, and a plain process beside any other init.
enum InitialRamdisk {
    /// The name by which the kernel starts this program.
    static let name: StaticString = "/init"

    static func run() -> Never {
        _ = system(SystemCall.umask, 0o022)
        mountKernelFileSystems()
        let graceful = expediteGracePeriods()
        AgentProgram.limitHeap()
        let words = BootWords(FileAccess.contents("/proc/cmdline") ?? [])
        KernelModules.load("boot")
        let devices = KernelModules.devices
        if let failure = RootDisk.mount(words) { fail(failure) }
        let hasSockets = devices.hasSockets && KernelModules.load("socket")
        // The agent of our own init answers while these are loaded.
        var later = KernelModules.open("early") ?? []
        if devices.hasNetwork { later += KernelModules.open("network") ?? [] }
        if devices.hasSharedFolders { later += KernelModules.open("share") ?? [] }
        // Addresses of the host's choice need their cards.
        if AgentFiles.hasAddresses {
            KernelModules.load(later)
            later = []
        }
        AgentFiles.place()
        guard let program = SystemProgram.find(words) else {
            var text = [UInt8]("there is no ")
            text.append(contentsOf: (words.program ?? []).prefix(256))
            text.add(" on the root disk")
            fail(text)
        }
        if program.kind == .systemd {
            AgentFiles.placeUnit()
            if SystemProgram.unitConfiguresCards { NetworkSetup.announce() }
        }
        do throws(Errno) {
            let change = try RootChange.enter(RootDisk.place)
            let hasNetworks = prepare(program, words, hasSockets: hasSockets)
            // The agent answers first.
            Process.setPriority(10)
            change.removeOld()
            KernelModules.load(later)
            if hasNetworks {
                // Commands wait for the networks.
                Identity.completeMachineID()
                NetworkSetup.configureCards()
            }
            try? FileAccess.write(graceful, to: gracePeriods)
            Process.setPriority(0)
        } catch {
            var text = [UInt8]("the root file system cannot be entered: ")
            text.add(error.text)
            fail(text)
        }
        become(program.path)
    }

    private static func mountKernelFileSystems() {
        Mount.attach("proc", at: "/proc", type: "proc")
        Mount.attach("sysfs", at: "/sys", type: "sysfs")
        Mount.attach("dev", at: "/dev", type: "devtmpfs")
        Mount.attach("run", at: "/run", type: "tmpfs", options: "mode=0755,nosuid,nodev")
        Mount.makeDirectory("/run/aerie")
    }

    /// Whether the kernel interrupts other processors to end a grace period at once, as it does before its first process begins. Each close of a
    /// packet socket waits for one, for example. It is nothing for a system that works.
    private static let gracePeriods: StaticString = "/sys/kernel/rcu_expedited"

    /// - Returns: what the setting was before.
    private static func expediteGracePeriods() -> [UInt8] {
        let old = FileAccess.contents(gracePeriods, limit: 16) ?? []
        try? FileAccess.write([UInt8(ascii: "1")], to: gracePeriods)
        return old
    }

    /// What happens on the root file system before its init begins.
    ///
    /// - Returns: whether it is a whole system of Aerie's own, whose networks are to be configured.
    private static func prepare(_ program: SystemProgram, _ words: BootWords, hasSockets: Bool) -> Bool {
        switch program.kind {
        case .agent, .systemd: return false
        case .own(let expectsMounts): return expectsMounts && prepareOwn(words, hasSockets: hasSockets)
        case .other:
            AgentFiles.start(needsDriver: !hasSockets)
            return false
        }
    }

    private static func prepareOwn(_ words: BootWords, hasSockets: Bool) -> Bool {
        FirstProcess.mountDevices()
        Mount.makeDirectory("/run/lock")
        if let name = words.hostname ?? FileAccess.contents("/etc/hostname", limit: 256)?.words.first {
            _ = name.withCString { system(SystemCall.sethostname, Int($0), name.count) }
        }
        var state: [UInt8] = []
        if !words.isSecondStage {
            NetworkSetup.announce()
            state.add("network ")
        }
        // The host's commands find the shared folders, which the init mounts.
        if hasSockets || words.hasControlPort, !words.hasSharedFolders {
            Process.blockRequests()
            AgentFiles.start(needsDriver: false)
            state.add("agent ")
        }
        state.append(10)
        try? FileAccess.create(SystemProgram.mark, with: state, mode: 0o644)
        return !words.isSecondStage
    }

    /// Becomes the system's init.
    private static func become(_ path: [UInt8]) -> Never {
        let variables = FileAccess.contents("/proc/self/environ")?.parts(separatedBy: 0) ?? []
        var reason = Errno.noMemory
        if let arguments = StringVector([path]), let environment = StringVector(variables.filter { !$0.isEmpty }) {
            reason = AgentFiles.execute(path, arguments, environment)
        }
        var text = path
        text.add(" cannot be started: ")
        text.add(reason.text)
        fail(text)
    }

    /// Says on the console why there is no system, and powers off.
    private static func fail(_ reason: [UInt8]) -> Never {
        var text = reason
        text.add("; powering off")
        // The kernel gives process 1 the console.
        StandardError.line("aerie: ", text)
        SystemEnd.endKernel(.powerOff)
        Process.end(1)
    }
}
