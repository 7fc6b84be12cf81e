import Support

/// Where the program begins: the stack holds the number of arguments, their addresses, and a zero.
@c(aerie_agent_start)
public func start(_ stack: UnsafePointer<Int>) -> Never {
    var arguments: [[UInt8]] = []
    for index in 0..<min(max(stack[0], 0), 16) {
        guard let text = UnsafePointer<UInt8>(bitPattern: stack[1 + index]) else { break }
        var length = 0
        while text[length] != 0, length < AgentLimits.path { length += 1 }
        arguments.append(Array(UnsafeBufferPointer(start: text, count: length)))
    }
    AgentProgram.run(arguments)
}

enum AgentProgram {
    static func run(_ arguments: [[UInt8]]) -> Never {
        var options = AgentOptions()
        if let name = arguments.first, name == InitialRamdisk.name, Process.identifier == 1 {
            InitialRamdisk.run()
        } else if arguments.count == 3 || arguments.count == 4, arguments[1] == "--socket" {
            options.socketPath = arguments[2]
            if arguments.count == 4 { options.bootMark = arguments[3] }
        } else if arguments.count == 2, arguments[1] == "--version" {
            StandardError.line("aerie-agent ", [UInt8](AgentOptions.version))
            Process.end(0)
        } else if arguments.count == 2, arguments[1] == "--command" {
            MachineCommand.run()
        } else if arguments.count == 4, arguments[1] == "--network" {
            applyNetwork(arguments[2], hosts: arguments[3])
        } else if arguments.count == 2, arguments[1] == "--networks" {
            NetworkSetup.configureCards()
            Process.end(0)
        } else if Process.identifier == 1 {
            options.isFirstProcess = true
            FirstProcess.begin()
        } else if arguments.count != 1 {
            StandardError.line(
                "usage: aerie-agent [--socket PATH [MARK] | --command | --networks | --network FILE HOSTS | --version]",
                [])
            Process.end(64)
        }
        // Whoever started the agent may have left descriptors open; no command gets them. (CLOSE_RANGE_CLOEXEC)
        _ = system(SystemCall.close_range, 3, Int(UInt32.max), 4)
        occupyStandardDescriptors()
        Process.raiseDescriptorLimit()
        Process.resetSignals()
        Process.blockSignals()
        if options.socketPath == nil {
            try? FileAccess.write([UInt8]("-1000"), to: "/proc/self/oom_score_adj")
            options.watchesKernelLog = true
            options.controlPort = controlPort()
        }
        limitHeap()
        do throws(Errno) {
            try Agent(options).run()
        } catch {
            StandardError.line("aerie-agent: the agent cannot start: ", [UInt8](error.text))
            Process.end(71)
        }
        Process.end(0)
    }

    /// Configures the cards by a file, and names other machines in the file of hosts.
    private static func applyNetwork(_ path: [UInt8], hosts: [UInt8]) -> Never {
        do throws(AgentFailure) {
            try StaticNetwork.apply(FileAccess.contents(path, limit: AgentLimits.network) ?? [], hosts: hosts)
        } catch {
            StaticNetwork.report(error)
            Process.end(71)
        }
        Process.end(0)
    }

    /// Descriptors 0 to 2 are somebody's in every process; those of the agent's begin behind.
    private static func occupyStandardDescriptors() {
        while true {
            let number = [UInt8]("/dev/null").withCString {
                system(SystemCall.openat, OpenFlags.here, Int($0), OpenFlags.readWrite | OpenFlags.closeOnExec)
            }
            guard number >= 0 else { return }
            guard number <= 2 else {
                _ = system(SystemCall.close, number)
                return
            }
        }
    }

    /// The name behind `aerie.control=` on the kernel's command line.
    private static func controlPort() -> [UInt8]? {
        for word in FileAccess.contents("/proc/cmdline")?.words ?? [] where word.starts(withText: "aerie.control=") {
            let name = Array(word[14...])
            // A name below /dev, and no path.
            guard !name.isEmpty, name.count < 64, !name.contains(UInt8(ascii: "/")) else { return nil }
            return name
        }
        return nil
    }

    /// A quarter of the guest's memory, at least 16 MB and at most 64.
    static func limitHeap() {
        let total = GuestFacts.memory().total
        aerie_heap_limit(Int(min(max(total / 4, 16 << 20), 64 << 20)))
    }
}
