import GuestToolchain
import Dispatch
import GuestMemory
import HostSystem
import Machine
import PlatformDevices
import Synchronization

@testable import RISCV
@testable import TranslationRuntime

/// Programs run on our harts, on as much of the board as bare-metal tests need, at the addresses of QEMU's.
struct AerieRunner: GuestRunner {
    /// Every block is translated before it runs for the first time, instead of interpreted.
    var translates = false
    /// What is translated becomes a region at once.
    var makesRegions = false
    /// What runs often becomes a region, on another thread.
    var findsRegions = false
    /// Code may run at any virtual address.
    var isRelative = false
    /// Bytes of generated code that there is room for.
    var codeCapacity = Hart.defaultCodeCapacity
    /// Takes what is translated.
    var trace: TranslationTrace?
    /// Harts have the hypervisor extension.
    var hasHypervisor = false
    /// The board has the controllers of the Advanced Interrupt Architecture, with seven guest interrupt files for a hypervisor.
    var hasAdvancedInterrupts = false
    /// The board has an APLIC that interrupts harts directly.
    var hasDirectAPLIC = false
    /// The other extensions of harts.
    var extensions = ExtensionSet.all

    var name: String {
        let kind = makesRegions ? "Aerie, regions" : translates ? "Aerie, translating" : "Aerie"
        return isRelative ? kind + ", relative" : kind
    }
    let features = Set(GuestFeature.allCases)

    func run(_ program: [UInt8], harts: Int, memory: Int, dump: Range<Int>) throws -> GuestOutcome {
        try runCounting(program, harts: harts, memory: memory, dump: dump).0
    }

    /// The same with what the translator has done, if there is one.
    func runCounting(
        _ program: [UInt8], harts: Int, memory: Int, dump: Range<Int>
    ) throws -> (GuestOutcome, TranslationCounts?) {
        let board = try Board(harts: harts, memory: memory, self)
        try board.memory.write(program, at: Toolchain.base)
        let end = try board.run(limit: 300)
        let outcome = GuestOutcome(
            end: end, console: String(decoding: board.console.bytes, as: UTF8.self),
            memory: try board.memory.bytes(at: Toolchain.base + UInt64(dump.lowerBound), count: dump.count))
        return (outcome, board.counts)
    }
}

/// A serial port's other side that keeps what the guest writes.
private final class Console: CharacterChannel {
    private let output = Mutex<[UInt8]>([])

    var bytes: [UInt8] { output.withLock { $0 } }

    func read(limit: Int) -> [UInt8] { [] }
    func write(_ bytes: [UInt8]) -> Int {
        output.withLock { $0 += bytes }
        return bytes.count
    }
    func setHandler(_ handler: (@Sendable () -> Void)?) {}
    var windowSize: (columns: UInt16, rows: UInt16)? { nil }
}

/// Harts, memory, serial port, interrupt controllers and test finisher.
private final class Board {
    let memory: GuestMemory
    let console = Console()
    var counts: TranslationCounts? { harts[0].state.pointee.translation.engine?.counts }
    private let space: AddressSpace
    private let harts: [Hart]
    private let ended = DispatchSemaphore(value: 0)
    private let end = Holder()

    private final class Holder: Sendable {
        let value = Mutex<SystemEvent?>(nil)
    }

    init(harts count: Int, memory size: Int, _ runner: AerieRunner) throws {
        memory = try GuestMemory(ranges: [(base: Toolchain.base, size: UInt64(size))])
        let space = AddressSpace(memory: memory)
        self.space = space
        let timeBase = TimeBase()
        let harts = (0..<count).map {
            Hart(
                index: $0, addressSpace: space, timeBase: timeBase, resetAddress: Toolchain.base,
                extensions: runner.extensions, hasHypervisor: runner.hasHypervisor,
                guestFileCount: runner.hasAdvancedInterrupts && runner.hasHypervisor ? 7 : 0, isAlone: count == 1)
        }
        if runner.translates {
            try Hart.startTranslating(
                harts, threshold: 1, regionThreshold: runner.makesRegions ? 0 : runner.findsRegions ? 2 : Int.max,
                alwaysRelative: runner.isRelative,
                capacity: runner.codeCapacity, trace: runner.trace)
        }
        self.harts = harts
        // As at QEMU's reset vector: a0 is the hart's number.
        for hart in harts { hart[integer: 10] = UInt64(hart.index) }
        let wires: any InterruptSink
        if runner.hasAdvancedInterrupts {
            wires = Self.attachAdvancedInterrupts(harts, guestFiles: runner.hasHypervisor ? 7 : 0, to: space)
        } else if runner.hasDirectAPLIC {
            let aplic = APLIC(
                sources: 96, machine: harts.map { InterruptLine(sink: $0, number: 11) },
                supervisor: harts.map { InterruptLine(sink: $0, number: 9) })
            Self.attach(aplic, to: space)
            wires = aplic
        } else {
            let external = harts.flatMap { [InterruptLine(sink: $0, number: 11), InterruptLine(sink: $0, number: 9)] }
            let plic = PLIC(name: "plic", sources: 95, contexts: external)
            space.attach(plic, base: 0xC00_0000, size: PLIC.size)
            wires = plic
        }
        let uart = UART16550(name: "uart0", channel: console, line: InterruptLine(sink: wires, number: 10))
        let aclint = ACLINT(
            name: "aclint", timeBase: timeBase,
            harts: harts.map { .init(timer: $0, softwareInterrupt: InterruptLine(sink: $0, number: 3)) })
        let finisher = TestFinisher(name: "test") { [end, ended] event in
            let first = end.value.withLock { value in
                defer { value = value ?? event }
                return value == nil
            }
            if first { ended.signal() }
        }
        space.attach(finisher, base: 0x10_0000, size: TestFinisher.size)
        space.attach(aclint, base: 0x200_0000, size: ACLINT.size)
        let supervisor = ACLINTSupervisor(
            name: "sswi", harts: harts.map { InterruptLine(sink: $0, number: 1) })
        space.attach(supervisor, base: 0x2F0_0000, size: ACLINTSupervisor.size)
        space.attach(uart, base: 0x1000_0000, size: 0x100)
    }

    deinit {
        // Devices and harts know each other.
        space.detachAll()
        for hart in harts { hart.connect(nil) }
    }

    private static func attachAdvancedInterrupts(
        _ harts: [Hart], guestFiles: Int, to space: AddressSpace
    ) -> any InterruptSink {
        let machine = IMSIC(name: "imsic-m", lines: harts.map { [InterruptLine(sink: $0, number: 11)] })
        let supervisor = IMSIC(
            name: "imsic-s",
            lines: harts.map { hart in
                [InterruptLine(sink: hart, number: 9)]
                    + (0..<guestFiles).map { InterruptLine(sink: hart, number: Hart.guestExternalInterrupts + $0) }
            })
        for (index, hart) in harts.enumerated() {
            let files = supervisor.files(ofHart: index)
            hart.connect(
                InterruptFiles(
                    machine: machine.files(ofHart: index)[0], supervisor: files[0], guests: Array(files.dropFirst())))
        }
        let machineSize = IMSIC.size(harts: harts.count, filesOfHart: 1)
        let supervisorSize = IMSIC.size(harts: harts.count, filesOfHart: 1 + guestFiles)
        let aplic = APLIC(
            sources: 96, guestIndexBits: IMSIC.guestIndexBits(files: 1 + guestFiles),
            messages: IMSICRouter([(0x2400_0000, machineSize, machine), (0x2800_0000, supervisorSize, supervisor)]))
        space.attach(machine, base: 0x2400_0000, size: machineSize)
        space.attach(supervisor, base: 0x2800_0000, size: supervisorSize)
        attach(aplic, to: space)
        return aplic
    }

    private static func attach(_ aplic: APLIC, to space: AddressSpace) {
        space.attach(APLICDomain(name: "aplic-m", of: aplic, level: .machine), base: 0xC00_0000, size: APLIC.size)
        space.attach(APLICDomain(name: "aplic-s", of: aplic, level: .supervisor), base: 0xD00_0000, size: APLIC.size)
    }

    /// Runs the harts until the guest ends the machine, or for `limit` seconds.
    func run(limit: Double) throws -> GuestOutcome.End {
        let threads = try harts.map { hart in
            try HostThread(name: "hart\(hart.index)") {
                if case .failed(let reason) = hart.run() { fatalError("hart \(hart.index): \(reason)") }
            }
        }
        let timedOut = ended.wait(timeout: .now() + limit) == .timedOut
        for hart in harts { hart.requestExit() }
        for thread in threads { thread.join() }
        if timedOut { return .timedOut }
        return switch end.value.withLock({ $0 }) {
        case .failure(let code): .exit(Int(code))
        default: .exit(0)
        }
    }
}

extension AerieRunner {
    /// What all harts come to in the end: the last one that does ends the run. Changes t1 to t4.
    static func end(ofHarts count: Int) -> String {
        """
            la t3, done
            li t4, 1
            amoadd.d t3, t4, (t3)
            li t4, \(count - 1)
            bne t3, t4, 1f
            li t1, 0x100000
            li t2, 0x5555
            sw t2, 0(t1)
        1:  j 1b
            .balign 8
        done:
            .dword 0
        """
    }
}
