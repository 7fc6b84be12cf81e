#if arch(x86_64)
    internal import DiskImages
    internal import GuestBoot
    internal import GuestMemory
    internal import HostSystem
    internal import KVMEngine
    internal import Machine
    internal import PCI
    internal import PlatformDevices
    internal import Virtio
    internal import VirtioDevices

    /// The x86-64 board: a legacy-free PC on KVM.
    final class X86Board: Board {
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

        private let vcpus: [X86Processor]
        private let bus: AddressSpace
        private let ports = PortSpace()
        // Exactly one of `boot` and `firmware` is set.
        private let boot: X86Boot?
        private let firmware: X86Firmware?
        private let map: [X86MemoryMapEntry]
        private let tables: ACPITables

        /// Builds the board. `load` puts the kernel or the firmware into memory.
        init(
            _ configuration: Configuration, console: any CharacterChannel, control: any CharacterChannel,
            services: HostServices, log: Log, events: @escaping SystemEventHandler
        ) throws(AerieError) {
            firmware = try configuration.firmware.map { path throws(AerieError) in try X86Firmware(path: path) }
            boot = firmware == nil ? try Self.makeBoot(configuration) : nil
            let size = configuration.bootMemory
            let region = configuration.growthRegion(above: X86MemoryMap.end(size))
            let memory = try BoardBuilder.memory(
                X86MemoryMap.memory(size) + (region.map { [$0] } ?? []), configuration, services)
            self.memory = memory
            bus = AddressSpace(memory: memory)
            map = X86MemoryMap.map(size)
            tables = X86ACPI.tables(processors: configuration.cpus, pciHighWindow: PCIHighWindow.above(memory))
            let core = try Self.makeCore(
                configuration, memory: memory, firmware: firmware, bus: bus, ports: ports, events: events)
            (vcpus, processors) = (core.processors, core.processors)

            // `devices` below lists time and interrupt controllers first, then the sources of interrupts.
            let uart = UART16550(
                name: "uart0", channel: configuration.console == .serial ? console : UnconnectedChannel(),
                line: InterruptLine(sink: core.machine, number: X86MemoryMap.Interrupt.uart))
            let clock = CMOSClock(name: "rtc")
            let power = PowerControl(name: "power", handler: events)
            ports.attach(uart, ports: X86MemoryMap.Port.uart...X86MemoryMap.Port.uart + 7)
            ports.attach(clock, ports: X86MemoryMap.Port.clock...X86MemoryMap.Port.clock + 1)
            ports.attach(
                power, ports: X86MemoryMap.Port.power...X86MemoryMap.Port.power + UInt16(PowerControl.size) - 1)

            let loop = try VirtioHost.makeLoop()
            self.loop = loop
            let disks = try configuration.openDisks()
            let io = VirtioHost.makeDiskIO(loop, isUsed: true)
            let virtio = try VirtioCards(
                configuration, disks: disks, region: region, io: io, console: console, control: control,
                services: services, queueCount: min(configuration.cpus, 4), slots: PCIHost.mostFunctions - 2, log: log)
            inventory = Inventory(configuration, images: disks, virtio)
            (growth, balloon) = (virtio.growth, virtio.balloon)
            let guards = Self.guards(configuration, timeBase: timeBase, loop: loop, log: log, events: events)
            let (host, functions, hotplug) = try Self.bus(
                virtio, guards, io: io, machine: core.machine, VirtioHost(memory: memory, loop: loop, log: log))
            self.hotplug = hotplug
            let window = PCIWindow(name: "pci-window", host: host, base: X86MemoryMap.pciWindow)
            let test = TestFinisher(name: "test", handler: events)
            let generation = try Self.makeGeneration(core.machine)
            self.generation = generation
            bus.attach(test, base: X86MemoryMap.testFinisher, size: TestFinisher.size)
            bus.attach(generation, base: X86MemoryMap.generation, size: GenerationDevice.size)
            bus.attach(host, base: X86MemoryMap.pciConfiguration, size: PCIHost.configurationSize)
            bus.attach(window, base: X86MemoryMap.pciWindow, size: X86MemoryMap.pciWindowSize)
            let high = PCIHighWindow.above(memory)
            let highWindow = PCIWindow(name: "pci-high-window", host: host, base: high.base)
            bus.attach(highWindow, base: high.base, size: high.size)
            devices =
                [
                    KVMClock(machine: core.machine, processors: vcpus), core.irqchip, uart, clock, power, test,
                    generation, host, window, highWindow,
                ]
                + functions + (firmware.map { [$0] } ?? [])
        }

        /// A PCI bus with virtio devices, those that notice when a guest is dead, and root ports.
        private static func bus(
            _ virtio: VirtioCards, _ guards: [any PCIFunction], io: DiskIO, machine: KVMMachine, _ host: VirtioHost
        ) throws(AerieError) -> (host: PCIHost, functions: [any PCIFunction], hotplug: HotplugSlots) {
            @Sendable func function(_ name: String, _ device: any VirtioDevice, isExpress: Bool) -> any PCIFunction {
                VirtioPCITransport(
                    name: name, device: device, memory: host.memory, messages: machine, notifiers: machine,
                    isExpress: isExpress, loop: host.loop, log: host.log)
            }
            let functions =
                virtio.devices.enumerated().map { slot, device in
                    function("virtio\(slot)", device, isExpress: false)
                } + guards
            let ports = HotplugSlots.makePorts(besides: functions.count, messages: machine)
            let hotplug = HotplugSlots(ports: ports, io: io, queueCount: virtio.queueCount) {
                function($0, $1, isExpress: true)
            }
            let bridge = PCIHost(
                name: "pci", functions: functions, ports: ports,
                lines: X86MemoryMap.Interrupt.pci.map { InterruptLine(sink: machine, number: $0) })
            try hotplug.insert(virtio.plugged)
            return (bridge, functions + ports, hotplug)
        }

        /// The devices that notice when a guest is dead.
        private static func guards(
            _ configuration: Configuration, timeBase: TimeBase, loop: EventLoop, log: Log,
            events: @escaping SystemEventHandler
        ) -> [any PCIFunction] {
            let panic = PanicNotifier(name: "panic", log: log, handler: events)
            guard configuration.watchdog != .off else { return [panic] }
            return [panic, IntelWatchdog(name: "watchdog", timeBase: timeBase, loop: loop, handler: events)]
        }

        private static func makeGeneration(_ machine: KVMMachine) throws(AerieError) -> GenerationDevice {
            try wrapping("random numbers for the generation ID") { () throws(SystemError) in
                try GenerationDevice(
                    name: "generation", line: InterruptLine(sink: machine, number: X86MemoryMap.Interrupt.generation))
            }
        }

        private static func makeBoot(_ configuration: Configuration) throws(AerieError) -> X86Boot {
            try wrapping("boot") { () throws(BootError) in
                try X86Boot(
                    kernel: configuration.kernel, initrd: configuration.initrd,
                    appendedInitrd: configuration.appendedInitrd, commandLine: configuration.commandLine)
            }
        }

        /// Creates the KVM machine with its memory slots, irqchip and vCPUs.
        private static func makeCore(
            _ configuration: Configuration, memory: GuestMemory, firmware: X86Firmware?, bus: AddressSpace,
            ports: PortSpace, events: @escaping SystemEventHandler
        ) throws(AerieError) -> (machine: KVMMachine, irqchip: InKernelIRQChip, processors: [X86Processor]) {
            do throws(KVMError) {
                let system = try KVMSystem()
                let machine = try KVMMachine(system, irqchip: .full)
                try machine.map(memory)
                if let firmware {
                    guard system.has(.readOnlyMemory) else { throw .missing(.readOnlyMemory) }
                    try machine.map(firmware.memory, access: .readOnly)
                }
                let cpuid = try CPUIDModel(system, level: configuration.processor?.model.level)
                var processors: [X86Processor] = []
                for index in 0..<configuration.cpus {
                    processors.append(
                        try X86Processor(
                            index: index, count: configuration.cpus, machine: machine, cpuid: cpuid,
                            system: system, addressSpace: bus, ports: ports, events: events))
                }
                return (machine, try InKernelIRQChip(machine: machine), processors)
            } catch {
                throw AerieError(starting: error, of: configuration)
            }
        }

        func load() throws(AerieError) {
            for vcpu in vcpus { vcpu.reset() }
            if let boot { try load(boot) }
            // With firmware, vCPU 0 starts at the reset vector.
            try firmware?.shadow(in: memory)
        }

        private func load(_ boot: X86Boot) throws(AerieError) {
            let root = X86MemoryMap.acpiTables
            let (start, _) = try wrapping("boot") { () throws(BootError) in
                try boot.load(memory: memory, map: map, rsdp: root)
            }
            do throws(GuestMemoryError) {
                try memory.write(tables.encoded(at: root), at: root)
            } catch {
                throw AerieError(
                    .usage, asked: "--memory \(memory.size >> 10)K", found: "a PC needs more than 1M",
                    advice: "choose a larger size")
            }
            var state = vcpus[0].initialState
            switch start {
            case .protected(let entry, let startInfo, let descriptorTable):
                state.enterProtectedMode(at: entry, rbx: startInfo, descriptorTable: descriptorTable)
            case .long(let entry, let zeroPage, let pageTable, let descriptorTable):
                state.enterLongMode(
                    at: entry, rsi: zeroPage, pageTable: pageTable, descriptorTable: descriptorTable)
            }
            do throws(KVMError) {
                try vcpus[0].setState(state)
            } catch {
                throw AerieError(.notStarted, asked: "starting the first vCPU", found: error.description)
            }
        }

        func dismantle() {
            bus.detachAll()
            ports.detachAll()
        }
    }

    extension Processor.Model {
        /// Nil for what the host offers.
        fileprivate var level: X86Level? {
            switch self {
            case .max, .rva20, .rva22, .host: nil
            case .x86_64_v1: .v1
            case .x86_64_v2: .v2
            case .x86_64_v3: .v3
            case .x86_64_v4: .v4
            }
        }
    }

    extension AerieError {
        /// The error of a machine that KVM cannot create.
        init(starting error: KVMError, of configuration: Configuration) {
            let (found, advice) = error.description.divided(at: "; ") ?? (error.description, "")
            let engine = "--engine \(configuration.engine.rawValue) for an x86_64 guest"
            switch error {
            case .noDevice, .noPermission, .wrongVersion, .missing:
                self.init(.unavailable, asked: engine, found: found, advice: advice)
            case .tooManyVCPUs:
                self.init(.unavailable, asked: "--cpus \(configuration.cpus)", found: found, advice: advice)
            case .noMemory:
                self.init(.notStarted, asked: "--memory \(configuration.memory)", found: found, advice: advice)
            case .lacksFeatures:
                self.init(
                    .unavailable, asked: "--cpu \(configuration.processor?.model.rawValue ?? "")", found: found,
                    advice: advice)
            case .unsupportedFeatures, .refusedMSR, .failed:
                self.init(.notStarted, asked: engine, found: found, advice: advice)
            }
        }
    }
#endif
