internal import Aerie
internal import ArgumentParser
internal import MachineSession

/// The options of `aerie run` as they are typed.
struct RunOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The guest's architecture: riscv64, or x86_64 on such a host.", valueName: "name"))
    var arch: String?

    @Option(help: ArgumentHelp("What executes the guest: auto, kvm, translate or interpret.", valueName: "name"))
    var engine: String?

    @Option(help: ArgumentHelp("Write what the translator makes of the guest's code to this file.", valueName: "file"))
    var trace: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Room for the code that the translator makes (default: 64M, 128M from 512M of memory on, 256M from 1G on).",
            valueName: "size"))
    var codeCache: String?

    @Option(
        help: ArgumentHelp(
            "The processor. For riscv64 guests MODEL[,EXT=on|off]...[,mmu=sv39|sv48|sv57] with the model max, rva20 or rva22 and extensions such as h or zbb (default: max,h=off,mmu=sv48); for x86_64 guests x86-64-v1 to x86-64-v4, or host (default: host).",
            valueName: "cpu"))
    var cpu: String?

    // Unconditional parsing lets a negative number through to a message that says what is wrong with it.
    @Option(parsing: .unconditional, help: ArgumentHelp("Virtual processors, 1 to 64 (default: 1).", valueName: "n"))
    var cpus: String?

    @Option(
        name: [.customShort("m", allowingJoined: true), .long], parsing: .unconditional,
        help: ArgumentHelp("Memory with K, M or G for powers of 1024 (default: 512M).", valueName: "size"))
    var memory: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            """
            How far 'aerie set NAME --memory' may let the running guest's memory grow, as SIZE[,by=hotplug|balloon]: by virtio-mem \
            (default for x86_64), or by a balloon that a guest with all of the memory starts with (default for riscv64).
            """, valueName: "size"))
    var maxMemory: String?

    @Flag(help: "Keep pages of memory that several guests have in common once. Guests can find out which ones.")
    var merge = false

    @Option(
        help: ArgumentHelp(
            """
            How the guest's memory serves the host: fixed (default); pressure lends spare memory while the host is short of it; \
            idle[=SECONDS] pushes the memory of an idle guest out to swap space (default: 300). pressure,idle does both.
            """, valueName: "policy"))
    var memoryPolicy: String?

    @Option(help: ArgumentHelp("Boot this kernel, instead of the image's if one is named.", valueName: "file"))
    var kernel: String?

    @Option(help: ArgumentHelp("The kernel's initial RAM disk.", valueName: "file"))
    var initrd: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("The kernel's command line, added to the image's if it has one.", valueName: "string"))
    var append: String?

    @Option(help: ArgumentHelp("Start this firmware at reset.", valueName: "file"))
    var firmware: String?

    @Option(
        help: ArgumentHelp(
            """
            A file with the contents of a riscv64 machine's flash bank, as FILE[,readonly]; the guest's changes are kept in it. \
            Without a kernel, the guest starts in the first bank. Repeatable: two banks.
            """, valueName: "flash"))
    var flash: [String] = []

    @Option(
        help: ArgumentHelp(
            """
            A disk, as FILE[,format=raw|qcow2][,readonly][,serial=S][,cache=writeback|none|unsafe][,rate=R]; a comma in FILE is \
            written twice. R is 10M bytes in a second or 500iops; both may be given. Repeatable: with --transport pci up to 32.
            """, valueName: "disk"))
    var disk: [String] = []

    @Option(
        help: ArgumentHelp(
            """
            A network card, as user|none|tap[=NAME]|switch=NAME[,mac=M][,queues=N][,rate=R] (default: user, where passt is installed). R is \
            10M bytes in a second or 1000pps; both may be given. Repeatable.
            """, valueName: "network"))
    var network: [String] = []

    @Option(
        name: [.customShort("p", allowingJoined: true), .long],
        help: ArgumentHelp(
            "Lead a port of the host to the guest, as [ADDRESS:]HOSTPORT:GUESTPORT[/udp] (default address: 127.0.0.1). Repeatable.",
            valueName: "ports"))
    var publish: [String] = []

    @Option(
        help: ArgumentHelp(
            "Let the guest reach only HOST, *.DOMAIN or CIDR[:PORT], and what further such options name. Repeatable.",
            valueName: "destination"))
    var allowEgress: [String] = []

    @Option(
        name: [.customShort("v", allowingJoined: true), .long, .customLong("volume")],
        help: ArgumentHelp(
            """
            Mount a directory of the host in the guest, as HOSTDIR:GUESTDIR[:ro][,owner=caller|pass][,map=GUEST:HOST:COUNT]; a \
            comma in a name is written twice. Repeatable.
            """, valueName: "folder"))
    var share: [String] = []

    @Option(
        help: ArgumentHelp(
            "Keep the changes to the image's disk in this qcow2 file, which is made if it is not there.",
            valueName: "file"))
    var overlay: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Let the image's disk and its file system grow to this size.", valueName: "size"))
    var diskSize: String?

    @Option(help: ArgumentHelp("How the guest finds its virtio devices: mmio, mmio-legacy or pci.", valueName: "kind"))
    var transport: String?

    @Option(
        help: ArgumentHelp(
            "The interrupt controllers of a riscv64 guest: plic (default), aplic, or aia, with which PCI devices send messages.",
            valueName: "kind"))
    var interrupts: String?

    @Option(help: ArgumentHelp("Where the guest's console is: serial (ttyS0) or virtio (hvc0).", valueName: "kind"))
    var console: String?

    @Option(
        help: ArgumentHelp(
            "Connect programs of the host with the guest's vsock ports at this socket, as PATH[,cid=N] (default: cid=3).",
            valueName: "socket"))
    var vsock: String?

    @Option(
        help: ArgumentHelp(
            "Give the guest a watchdog, and when the guest is dead: reboot, poweroff, pause, or none (default).",
            valueName: "action"))
    var watchdog: String?

    @Flag(help: "Throw changes to the first disk away when the guest ends.")
    var readOnly = false

    @Flag(help: "End when the guest asks for a reset.")
    var noReboot = false

    @Flag(help: "Give the guest the port on which images made by aerie hear that they shall power off.")
    var controlPort = false

    @Flag(help: "Start the guest only in a jail with all its layers; 'aerie doctor' shows them.")
    var requireJail = false

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Seconds that a guest has to power off after SIGTERM, SIGINT or SIGHUP (default: 10).", valueName: "seconds"
        ))
    var stopTimeout: String?

    @Option(
        help: ArgumentHelp(
            "What the log has: error, warning, info or debug messages and all above (default: warning).",
            valueName: "level"))
    var logLevel: String?

    @Option(
        help: ArgumentHelp(
            "Write the log to this file instead of standard error; at 8M it becomes FILE.1 and a new one begins.",
            valueName: "file"))
    var logFile: String?

    @Option(help: ArgumentHelp("Read settings from this JSON file; options win.", valueName: "file"))
    var config: String?

    @Argument(help: "The image to boot; it is built on first use.")
    var image: String?

    @Argument(
        parsing: .postTerminator,
        help: "The command to run in the image instead of a shell; its exit code becomes this program's.")
    var command: [String] = []

    /// What was typed, and where it says nothing, the file.
    func completeSettings() throws(AerieError) -> RunSettings {
        let typed = try settings()
        guard let config else { return typed }
        return typed.over(try SettingsFile.read(config))
    }

    /// What was typed, without the file.
    private func settings() throws(AerieError) -> RunSettings {
        var result = RunSettings()
        let texts: [(RunSetting, String?)] = [
            (.image, image), (.arch, arch), (.engine, engine), (.trace, trace), (.cpu, cpu), (.cpus, cpus),
            (.memory, memory), (.maxMemory, maxMemory), (.memoryPolicy, memoryPolicy),
            (.kernel, kernel), (.initrd, initrd), (.append, append), (.firmware, firmware), (.overlay, overlay),
            (.diskSize, diskSize),
            (.transport, transport), (.interrupts, interrupts),
            (.console, console), (.watchdog, watchdog), (.vsock, vsock), (.stopTimeout, stopTimeout),
            (.codeCache, codeCache),
            (.logLevel, logLevel), (.logFile, logFile),
        ]
        let lists =
            flash.map { (RunSetting.flash, $0) } + disk.map { (.disk, $0) }
            + network.map { (.network, $0) } + publish.map { (.publish, $0) }
            + allowEgress.map { (.allowEgress, $0) } + share.map { (.share, $0) }
            + command.map { (RunSetting.command, $0) }
        for case (let setting, let text?) in texts + lists {
            try result.set(setting, to: text, asked: "--\(setting.rawValue)")
        }
        let flags = [
            (RunSetting.readOnly, readOnly), (.noReboot, noReboot), (.controlPort, controlPort),
            (.requireJail, requireJail), (.merge, merge),
        ]
        for (flag, isSet) in flags where isSet { result.set(flag, to: true) }
        return result
    }
}
