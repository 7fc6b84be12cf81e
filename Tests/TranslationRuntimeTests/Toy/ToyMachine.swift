import Glibc
import GuestMemory
import HostSystem
import TranslationRuntime
import Translator

/// How a toy machine runs its code.
struct ToyEngine: Sendable, CustomStringConvertible {
    let description: String
    /// 0 interprets everything.
    var threshold: Int32 = 1
    var regionThreshold = Int.max
    var isRelative = false
    /// Accesses go by a base and a bound, and stores to code are not noticed.
    var isFlat = false
    var capacity: UInt64 = 16 << 20
    /// The form of the instruction set, which saved code is for.
    var variant: UInt64 = 0
    /// Code of pages that change is saved, too.
    var keepsReplacedCode = false

    static let interpreter = ToyEngine(description: "interpreter", threshold: 0)
    static let baseline = ToyEngine(description: "baseline")
    static let regions = ToyEngine(description: "regions", regionThreshold: 0)
    static let relative = ToyEngine(description: "relative regions", regionThreshold: 0, isRelative: true)
    static let tiers = ToyEngine(description: "both tiers", threshold: 3, regionThreshold: 2)
    static let flat = ToyEngine(description: "flat regions", regionThreshold: 0, isFlat: true)
    static let translating: [ToyEngine] = [.baseline, .regions, .relative, .tiers, .flat]
}

/// Processors of the toy and their memory.
final class ToyMachine {
    static let memorySize: UInt64 = 4 << 20
    static let start: UInt64 = 0x1000

    let memory: GuestMemory
    let processors: [ToyProcessor]
    let engine: TranslationEngine?
    /// Whether the code that was given was taken over.
    let isAdopted: Bool

    /// - Parameters:
    ///   - program: is put at `start`, where all processors start, with their number in r0.
    ///   - code: the descriptor of a file of code to take over.
    ///   - isForBoot: it is of another machine.
    init(
        _ program: [UInt8], at start: UInt64 = start, processors count: Int = 1, _ kind: ToyEngine, code: Int32? = nil,
        isForBoot: Bool = false
    ) throws {
        memory = try GuestMemory(ranges: [(base: 0, size: Self.memorySize)])
        try memory.write(program, at: start)
        let memory = memory
        processors = (0..<count).map { _ in ToyProcessor(memory) }
        for (number, processor) in processors.enumerated() {
            processor.state.pointee.pc = start
            processor.state.pointee.r[0] = UInt64(number)
        }
        guard kind.threshold > 0 else {
            engine = nil
            isAdopted = false
            return
        }
        let layout = StateLayout(ofToy: processors[0].state, isFlat: kind.isFlat)
        let engine = try TranslationEngine(
            processors, ToyFrontEnd(variant: kind.variant), layout: layout, entryRecord: HelperRecord((1, 0, 0)),
            memory: memory,
            TranslationOptions(
                regionThreshold: kind.regionThreshold, alwaysRelative: kind.isRelative,
                keepsReplacedCode: kind.keepsReplacedCode, capacity: kind.capacity),
            trace: nil)
        isAdopted =
            if let code { engine.adopt(FileDescriptor(owning: dup(code)), isForBoot: isForBoot) } else { false }
        let watch = kind.isFlat ? nil : MachineCodeWatch(processors, memory)
        for (number, processor) in processors.enumerated() {
            processor.watch = watch
            processor.connect(to: engine, number: number, threshold: kind.threshold)
        }
        self.engine = engine
    }

    /// Runs all processors until each has halted.
    func run() throws {
        if processors.count == 1 { return processors[0].run() }
        let threads = try processors.map { processor in try HostThread(name: "toy") { processor.run() } }
        for thread in threads { thread.join() }
    }

    /// Runs another program in the place of the one before, on the first processor.
    ///
    /// - Parameter shift: how much further the program is in guest-physical memory.
    /// - Returns: r1.
    func run(_ program: [UInt8], at start: UInt64 = start, shift: UInt64 = 0) throws -> UInt64 {
        try memory.write(program, at: start + shift)
        let state = processors[0].state
        state.pointee.shift = shift
        state.pointee.fault = nil
        state.pointee.pc = start
        for register in 0..<8 { state.pointee.r[register] = 0 }
        // As an instruction of the guest that makes its new code seen.
        _ = processors[0].requestCodeFence()
        processors[0].run()
        return state.pointee.r[1]
    }

    /// What can be compared of a processor.
    func outcome(_ number: Int = 0) -> ToyOutcome {
        let state = processors[number].state
        return ToyOutcome(
            registers: (0..<8).map { state.pointee.r[$0] }, flags: state.pointee.flags,
            vectors: (0..<8).map { state.pointee.vectors[$0] }, pc: state.pointee.pc,
            retired: state.pointee.retired, fault: state.pointee.fault)
    }
}

struct ToyOutcome: Equatable {
    let registers: [UInt64]
    let flags: UInt64
    let vectors: [UInt64]
    let pc: UInt64
    let retired: UInt64
    let fault: ToyFault?
}
