internal import Machine
internal import PlatformDevices
internal import RISCV

/// The interrupt controllers of the RISC-V board, and what leads to them.
struct RISCVInterrupts {
    typealias Placement = (device: any MemoryMappedDevice, base: UInt64, size: UInt64)

    /// Takes the wires of devices, by the numbers of `RISCVMemoryMap.Source`.
    let wires: any InterruptSink
    /// Takes messages of devices; nil where there is no controller for them.
    let messages: (any MessageSink)?
    /// The controllers, in the order in which they are restored.
    let placed: [Placement]

    /// Nil with a PLIC.
    private let controller: APLIC?
    /// The width of hart numbers in messages; nil without messages.
    private let hartIndexBits: UInt64?

    init(_ configuration: Configuration, _ harts: [Hart]) {
        switch configuration.interrupts ?? .plic {
        case .plic: self.init(plicOf: harts)
        case .aia: self.init(advancedOf: harts, guestFiles: Self.guestFiles(configuration))
        case .aplic: self.init(directOf: harts)
        }
    }

    /// The number of a hart's interrupt files for guests (GEILEN).
    static func guestFiles(_ configuration: Configuration) -> Int {
        configuration.interrupts == .aia && configuration.processor?.hypervisor == true
            ? RISCVMemoryMap.guestInterruptFiles : 0
    }

    /// Two contexts a hart: machine and supervisor external interrupts.
    private init(plicOf harts: [Hart]) {
        let plic = PLIC(
            name: "plic", sources: RISCVMemoryMap.Source.count,
            contexts: harts.flatMap { hart in
                [RISCVMemoryMap.Wire.machineExternal, RISCVMemoryMap.Wire.supervisorExternal].map {
                    InterruptLine(sink: hart, number: $0)
                }
            })
        wires = plic
        messages = nil
        placed = [(plic, RISCVMemoryMap.plic, PLIC.size)]
        (controller, hartIndexBits) = (nil, nil)
    }

    /// Interrupt files at each hart, and a controller that makes messages of wires.
    private init(advancedOf harts: [Hart], guestFiles: Int) {
        let machine = IMSIC(
            name: "imsic-machine",
            lines: harts.map { [InterruptLine(sink: $0, number: RISCVMemoryMap.Wire.machineExternal)] })
        let supervisor = IMSIC(
            name: "imsic-supervisor",
            lines: harts.map { hart in
                let own = InterruptLine(sink: hart, number: RISCVMemoryMap.Wire.supervisorExternal)
                let guests = (0..<guestFiles).map {
                    InterruptLine(sink: hart, number: Hart.guestExternalInterrupts + $0)
                }
                return [own] + guests
            })
        for (index, hart) in harts.enumerated() {
            let files = supervisor.files(ofHart: index)
            hart.connect(
                InterruptFiles(
                    machine: machine.files(ofHart: index)[0], supervisor: files[0], guests: Array(files.dropFirst())))
        }
        // Pages behind the last hart's read as zero, up to a power of two.
        let indexBits = UInt64(Int.bitWidth - (harts.count - 1).leadingZeroBitCount)
        hartIndexBits = indexBits
        let machineSize = IMSIC.page << indexBits
        let guestBits = IMSIC.guestIndexBits(files: 1 + guestFiles)
        let router = IMSICRouter([
            (RISCVMemoryMap.imsicMachine, machineSize, machine),
            (RISCVMemoryMap.imsicSupervisor, machineSize << guestBits, supervisor),
        ])
        let aplic = APLIC(
            sources: RISCVMemoryMap.Source.advancedCount, guestIndexBits: guestBits, messages: router)
        wires = aplic
        messages = router
        controller = aplic
        placed =
            [
                (machine, RISCVMemoryMap.imsicMachine, machineSize),
                (supervisor, RISCVMemoryMap.imsicSupervisor, machineSize << guestBits),
            ] + Self.domains(of: aplic)
    }

    /// A controller that interrupts harts directly.
    private init(directOf harts: [Hart]) {
        func lines(_ wire: Int) -> [InterruptLine] { harts.map { InterruptLine(sink: $0, number: wire) } }
        let aplic = APLIC(
            sources: RISCVMemoryMap.Source.advancedCount, machine: lines(RISCVMemoryMap.Wire.machineExternal),
            supervisor: lines(RISCVMemoryMap.Wire.supervisorExternal))
        wires = aplic
        messages = nil
        placed = Self.domains(of: aplic)
        (controller, hartIndexBits) = (aplic, nil)
    }

    private static func domains(of aplic: APLIC) -> [Placement] {
        [
            (APLICDomain(name: "aplic-machine", of: aplic, level: .machine), RISCVMemoryMap.aplicMachine, APLIC.size),
            (
                APLICDomain(name: "aplic-supervisor", of: aplic, level: .supervisor), RISCVMemoryMap.aplicSupervisor,
                APLIC.size
            ),
        ]
    }

    /// Leaves the controllers to a supervisor that starts without firmware.
    func prepareForSupervisor() {
        guard let hartIndexBits else {
            controller?.delegateAll()
            return
        }
        controller?.delegateAll(
            machine: RISCVMemoryMap.imsicMachine, supervisor: RISCVMemoryMap.imsicSupervisor,
            hartIndexBits: hartIndexBits)
    }
}
