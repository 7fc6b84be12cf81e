internal import DiskImages
internal import Glibc
internal import GuestBoot
internal import GuestMemory
internal import HostSystem
internal import Machine
internal import PCI
internal import PlatformDevices
internal import RISCV
internal import TranslationRuntime
internal import Virtio
internal import VirtioDevices

/// The RISC-V machine, laid out as QEMU's `virt`.
final class RISCVBoard: Board {
    /// A device and where its registers are.
    private typealias Placement = RISCVInterrupts.Placement

    let memory: GuestMemory
    let timeBase = TimeBase()
    let processors: [any VirtualProcessor]
    let devices: [any Device]
    let inventory: Inventory
    let hotplug: HotplugSlots?
    let growth: MemoryDevice?
    let balloon: BalloonDevice?
    let generation: GenerationDevice?
    let loop: EventLoop

    private let harts: [Hart]
    private let bus: AddressSpace
    private let boot: RISCVBoot
    private let bootROM: BootROM
    private let interrupts: RISCVInterrupts
    private let deviceTree: DeviceTree
    let firstPages: UInt64

    /// Builds the machine. Nothing runs, and nothing is loaded yet.
    init(
        _ configuration: Configuration, console: any CharacterChannel, control: any CharacterChannel,
        services: HostServices, log: Log, events: @escaping SystemEventHandler
    ) throws(AerieError) {
        (boot, firstPages) = (try Self.makeBoot(configuration), Self.firstPages(configuration, services))
        let region = configuration.growthRegion(above: RISCVMemoryMap.memory + configuration.bootMemory)
        memory = try BoardBuilder.memory(
            [(RISCVMemoryMap.memory, configuration.bootMemory)] + (region.map { [$0] } ?? []), configuration, services)
        bus = AddressSpace(memory: memory)
        harts = try Self.makeHarts(configuration, bus: bus, timeBase: timeBase, services, log: log)
        interrupts = RISCVInterrupts(configuration, harts)
        let wires = interrupts.wires
        bootROM = BootROM(name: "boot-rom")
        let uartChannel = configuration.console == .serial ? console : UnconnectedChannel()
        let transport = configuration.transport ?? .mmio
        let loop = try VirtioHost.makeLoop()
        self.loop = loop
        let disks = try configuration.openDisks()
        let isPCI = transport == .pci
        let io = VirtioHost.makeDiskIO(loop, isUsed: !disks.isEmpty || !configuration.flash.isEmpty || isPCI)
        let virtio = try VirtioCards(
            configuration, disks: disks, region: region, io: io, console: console, control: control, services: services,
            queueCount: isPCI ? min(configuration.cpus, 4) : 1,
            slots: isPCI ? PCIHost.mostFunctions - 2 : RISCVMemoryMap.virtioSlots, log: log)
        inventory = Inventory(configuration, images: disks, virtio)
        (growth, balloon) = (virtio.growth, virtio.balloon)
        let host = VirtioHost(memory: memory, loop: loop, log: log)
        let slots = Self.slots(isPCI ? [] : virtio.devices, transport, host: host, wires: wires)
        let flash = try Self.flash(configuration, io: io, log: log)
        let panic = PanicNotifier(name: "panic", log: log, handler: events)
        let generation = try Self.makeGeneration(wires)
        self.generation = generation
        let (bridge, functions, hotplug) = try Self.bus(isPCI ? virtio : nil, panic, io: io, host: host, interrupts)
        self.hotplug = hotplug
        // Power, time, and interrupts; then what raises them.
        let placed: [Placement] =
            Self.timers(harts, timeBase: timeBase, bootROM: bootROM, events: events) + interrupts.placed
            + [
                (GoldfishRTC(name: "rtc", line: Self.alarmLine(harts, wires)), RISCVMemoryMap.rtc, GoldfishRTC.size),
                (generation, RISCVMemoryMap.generation, GenerationDevice.size),
                (Self.makeUART(uartChannel, wires), RISCVMemoryMap.uart, 0x100),
                (
                    FirmwareConfiguration(
                        name: "fw-cfg", memory: memory, items: Self.firmwareItems(configuration)),
                    RISCVMemoryMap.firmwareConfiguration, FirmwareConfiguration.size
                ),
            ]
            + flash + Self.watchdog(configuration, timeBase: timeBase, loop: loop, events: events) + slots + bridge
        for (device, base, size) in placed { bus.attach(device, base: base, size: size) }
        devices = placed.map(\.device) + functions
        processors = harts
        deviceTree = RISCVDeviceTree.make(configuration, pciHighWindow: PCIHighWindow.above(memory))

        if configuration.firmware == nil {
            let services = SBI(
                harts: harts, memory: memory, console: uartChannel, systemEvent: events,
                warmResetIsPanic: configuration.reportsPanicByWarmReset)
            for hart in harts { hart.setSupervisorCallHandler(services) }
        }
    }

    func load() throws(AerieError) {
        let tree = try wrapping("random numbers for the guest") { () throws(SystemError) in
            try deviceTree.withRandomSeed()
        }
        let (start, _) = try wrapping("boot") { () throws(BootError) in
            try boot.load(memory: memory, deviceTree: tree)
        }
        for hart in harts { hart.reset() }
        switch start {
        case .supervisor(let entry, let deviceTree):
            harts[0].enterSupervisor(at: entry, arguments: (0, deviceTree))
            for hart in harts.dropFirst() { hart.stop() }
            interrupts.prepareForSupervisor()
        case .machine(let rom, _, _):
            bootROM.setContents(rom)
        }
    }

    /// The guest of an image is Linux, which takes memory from the end on: 64 bytes for each page, and then what it uses first.
    private static func firstPages(_ configuration: Configuration, _ services: HostServices) -> UInt64 {
        let size = configuration.bootMemory
        return configuration.bootsImage(services) ? min(size / 64 + (40 << 20), size / 8, 128 << 20) : 0
    }

    func dismantle() {
        bus.detachAll()
        for hart in harts {
            hart.setSupervisorCallHandler(nil)
            hart.connect(nil)
        }
    }

    // MARK: Parts

    private static func makeBoot(_ configuration: Configuration) throws(AerieError) -> RISCVBoot {
        try wrapping("boot") { () throws(BootError) in
            try RISCVBoot(
                kernel: configuration.kernel, initrd: configuration.initrd,
                appendedInitrd: configuration.appendedInitrd, commandLine: configuration.commandLine,
                firmware: configuration.firmware,
                payload: configuration.flash.isEmpty ? nil : RISCVMemoryMap.flash[0])
        }
    }

    private static func makeHarts(
        _ configuration: Configuration, bus: AddressSpace, timeBase: TimeBase, _ services: HostServices, log: Log
    ) throws(AerieError) -> [Hart] {
        let processor = configuration.processor ?? Processor()
        let pagingMode: PagingMode =
            switch processor.pagingMode {
            case .sv39: .sv39
            case .sv48: .sv48
            case .sv57: .sv57
            }
        let harts = (0..<configuration.cpus).map {
            Hart(
                index: $0, addressSpace: bus, timeBase: timeBase, resetAddress: RISCVMemoryMap.bootROM,
                pagingMode: pagingMode, extensions: processor.hartExtensions(configuration.interrupts ?? .plic),
                hasHypervisor: processor.hypervisor, guestFileCount: RISCVInterrupts.guestFiles(configuration),
                isAlone: configuration.cpus == 1)
        }
        if configuration.engine == .translate || configuration.engine == .auto && Hart.canTranslate {
            let trace = try configuration.translationTrace.map { path throws(AerieError) in try makeTrace(path, log) }
            try wrapping("--engine translate") { () throws(TranslationError) in
                try Hart.startTranslating(
                    harts, keepsReplacedCode: services.keepsReplacedCode, capacity: configuration.codeCacheSize.bytes,
                    trace: trace)
            }
            if let code = services.code { try adopt(code, isForBoot: false, harts, log) }
            if let code = services.bootCode { try adopt(code, isForBoot: true, harts, log) }
            if let storage = services.codeStorage {
                try wrapping("the file of generated code") { () throws(SystemError) in
                    Hart.storeCode(of: harts, in: try FileDescriptor(duplicating: storage))
                }
            }
        }
        return harts
    }

    /// Without the saved code, a machine runs as well.
    private static func adopt(_ code: Int32, isForBoot: Bool, _ harts: [Hart], _ log: Log) throws(AerieError) {
        let isAdopted = try wrapping("the saved code of the machine") { () throws(SystemError) in
            Hart.adoptCode(from: try FileDescriptor(duplicating: code), isForBoot: isForBoot, harts)
        }
        if isAdopted {
            log.note(
                .debug, "translator", cause: "code", "it begins with \(isForBoot ? "its image's" : "the saved") code")
        } else {
            log.note(.info, "translator", cause: "code", "\(isForBoot ? "its image's" : "the saved") code does not fit")
        }
    }

    func saveCode(to file: borrowing FileDescriptor, isShared: Bool) throws(SystemError) {
        try Hart.saveCode(of: harts, to: file, isShared: isShared)
    }

    func sharedCode() throws(SystemError) -> FileDescriptor? { try Hart.sharedCode(of: harts) }

    func prepareTrim() { Hart.prepareTrim(harts) }
    func trimMemory() { Hart.trim(harts) }

    private static func makeTrace(_ path: String, _ log: Log) throws(AerieError) -> TranslationTrace {
        do throws(SystemError) {
            let file = try FileDescriptor(path: path, flags: O_WRONLY | O_CREAT | O_TRUNC | O_APPEND)
            return TranslationTrace(file: file) { error in
                log.note(.error, "--trace \(path)", cause: "lost", "\(error.reason); the trace ends here")
            }
        } catch {
            throw AerieError(
                .badInput, asked: "--trace \(path)", found: error.reason,
                advice: "name a file in a directory that exists and that you may write")
        }
    }

    /// The parts that no interrupt controller is before.
    private static func timers(
        _ harts: [Hart], timeBase: TimeBase, bootROM: BootROM, events: @escaping SystemEventHandler
    ) -> [Placement] {
        [
            (bootROM, RISCVMemoryMap.bootROM, BootROM.size),
            (TestFinisher(name: "test", handler: events), RISCVMemoryMap.testFinisher, TestFinisher.size),
            (makeACLINT(harts, timeBase: timeBase), RISCVMemoryMap.aclint, ACLINT.size),
            (makeSSWI(harts), RISCVMemoryMap.supervisorSoftwareInterrupts, ACLINTSupervisor.size),
        ]
    }

    private static func makeACLINT(_ harts: [Hart], timeBase: TimeBase) -> ACLINT {
        ACLINT(
            name: "aclint", timeBase: timeBase,
            harts: harts.map {
                ACLINT.Hart(
                    timer: $0,
                    softwareInterrupt: InterruptLine(sink: $0, number: RISCVMemoryMap.Wire.machineSoftware))
            })
    }

    /// The clock's alarm is an interrupt, and ends suspensions.
    private static func alarmLine(_ harts: [Hart], _ wires: any InterruptSink) -> InterruptLine {
        let interrupt = InterruptLine(sink: wires, number: RISCVMemoryMap.Source.rtc)
        return InterruptLine(sink: WakeLine(interrupt: interrupt, harts: harts), number: 0)
    }

    private static func makeSSWI(_ harts: [Hart]) -> ACLINTSupervisor {
        ACLINTSupervisor(
            name: "aclint-sswi",
            harts: harts.map { InterruptLine(sink: $0, number: RISCVMemoryMap.Wire.supervisorSoftware) })
    }

    private static func makeGeneration(_ wires: any InterruptSink) throws(AerieError) -> GenerationDevice {
        try wrapping("random numbers for the generation ID") { () throws(SystemError) in
            try GenerationDevice(
                name: "generation", line: InterruptLine(sink: wires, number: RISCVMemoryMap.Source.generation))
        }
    }

    private static func makeUART(_ channel: any CharacterChannel, _ wires: any InterruptSink) -> UART16550 {
        UART16550(
            name: "uart0", channel: channel, line: InterruptLine(sink: wires, number: RISCVMemoryMap.Source.uart))
    }

    private static func watchdog(
        _ configuration: Configuration, timeBase: TimeBase, loop: EventLoop, events: @escaping SystemEventHandler
    ) -> [Placement] {
        guard configuration.watchdog != .off else { return [] }
        let watchdog = AllwinnerWatchdog(name: "watchdog", timeBase: timeBase, loop: loop, handler: events)
        return [(watchdog, RISCVMemoryMap.watchdog, AllwinnerWatchdog.size)]
    }

    /// The one item that QEMU's board has besides those of the device itself: the number of harts.
    private static func firmwareItems(_ configuration: Configuration) -> FirmwareConfigurationItems {
        let key = FirmwareConfigurationItems.Key.processorCount
        return FirmwareConfigurationItems(numbered: [key: [UInt8(configuration.cpus), 0]])
    }

    private static func flash(
        _ configuration: Configuration, io: DiskIO, log: Log
    ) throws(AerieError) -> [Placement] {
        let bases = RISCVMemoryMap.flash
        let banks = try FlashImageStore.makeBanks(configuration, count: bases.count, io: io, log: log)
        return zip(banks, bases).map { ($0, $1, FlashBank.size) }
    }

    /// All slots for virtio devices in the address space: kernels probe every one. The first have devices.
    private static func slots(
        _ cards: [any VirtioDevice], _ transport: Configuration.Transport, host: VirtioHost,
        wires: any InterruptSink
    ) -> [Placement] {
        precondition(cards.count <= RISCVMemoryMap.virtioSlots, "validation bounds the number of disks")
        let version: VirtioMMIOVersion = transport == .mmioLegacy ? .legacy : .modern
        return (0..<RISCVMemoryMap.virtioSlots).map { slot in
            let base = RISCVMemoryMap.virtio + UInt64(slot) * RISCVMemoryMap.virtioStride
            let name = "virtio-slot\(slot)"
            guard slot < cards.count else {
                return (VirtioMMIOEmptySlot(name: name, version: version), base, RISCVMemoryMap.virtioStride)
            }
            let device = VirtioMMIOTransport(
                name: "virtio\(slot)", device: cards[slot], memory: host.memory,
                interrupt: InterruptLine(sink: wires, number: RISCVMemoryMap.Source.virtio + slot), version: version,
                loop: host.loop, log: host.log)
            return (device, base, RISCVMemoryMap.virtioStride)
        }
    }

    /// A PCI bus: the notifier of panics, behind virtio devices and with root ports where the transport is PCI (`virtio`). Where no
    /// controller takes messages they have their interrupt pins only.
    private static func bus(
        _ virtio: VirtioCards?, _ panic: PanicNotifier, io: DiskIO, host: VirtioHost, _ interrupts: RISCVInterrupts
    ) throws(AerieError) -> (placed: [Placement], functions: [any Device], hotplug: HotplugSlots?) {
        @Sendable func function(_ name: String, _ card: any VirtioDevice, isExpress: Bool) -> any PCIFunction {
            VirtioPCITransport(
                name: name, device: card, memory: host.memory, messages: interrupts.messages, isExpress: isExpress,
                loop: host.loop, log: host.log)
        }
        let functions =
            (virtio?.devices ?? []).enumerated().map { slot, card in
                function("virtio\(slot)", card, isExpress: false)
            } + [panic]
        let ports =
            virtio == nil ? [] : HotplugSlots.makePorts(besides: functions.count, messages: interrupts.messages)
        let hotplug = virtio.map { virtio in
            HotplugSlots(ports: ports, io: io, queueCount: virtio.queueCount) { function($0, $1, isExpress: true) }
        }
        let high = PCIHighWindow.above(host.memory)
        let bridge = PCIHost(
            name: "pci", functions: functions, ports: ports,
            lines: (0..<4).map { InterruptLine(sink: interrupts.wires, number: RISCVMemoryMap.Source.pci + $0) })
        try hotplug?.insert(virtio?.plugged ?? [])
        let placed: [Placement] = [
            (bridge, RISCVMemoryMap.pciConfiguration, PCIHost.configurationSize),
            (PCIPortWindow(name: "pci-ports"), RISCVMemoryMap.pciPorts, PCIPortWindow.size),
            (
                PCIWindow(name: "pci-window", host: bridge, base: RISCVMemoryMap.pciWindow),
                RISCVMemoryMap.pciWindow, RISCVMemoryMap.pciWindowSize
            ),
            (PCIWindow(name: "pci-high-window", host: bridge, base: high.base), high.base, high.size),
        ]
        return (placed, functions + ports, hotplug)
    }
}
