package import GuestMemory
package import Machine

/// The RISC-V Supervisor Binary Interface 2.0, answered by the VMM for a guest that runs without firmware.
///
/// Extensions: base, TIME, IPI, RFENCE, HSM, SRST, SUSP, DBCN when there is a console, and of the legacy calls those that
/// concern the timer, the console and shutdown. There is no PMU extension: probing says so, its calls answer "not
/// supported", and supervisors use the counters directly.
package final class SBI: SupervisorCallHandler {
    /// Harts own their handler, so that it may not own them.
    private struct Peer: Sendable {
        unowned let hart: any SBIHart
    }

    /// Version 2.0: major in bits 30:24, minor in bits 23:0.
    private static let specificationVersion: UInt64 = 2 << 24
    /// Implementation IDs are given out by the standard's maintainers, in order from 0; this one, "AE", is far from them.
    private static let implementationID: UInt64 = 0x4145
    private static let implementationVersion: UInt64 = 1

    private let peers: [Peer]
    let memory: GuestMemory
    let console: (any CharacterChannel)?
    let systemEvent: SystemEventHandler
    let warmResetIsPanic: Bool

    /// - Parameters:
    ///   - harts: all of the machine's, by hart ID. They must outlive every call.
    ///   - console: for DBCN; nil leaves the extension out.
    ///   - systemEvent: gets shutdown and reset. The calling hart is stopped by then.
    ///   - warmResetIsPanic: whether the guest's kernel asks for a warm reset only when it has panicked.
    package init(
        harts: [any SBIHart], memory: GuestMemory, console: (any CharacterChannel)?,
        systemEvent: @escaping SystemEventHandler, warmResetIsPanic: Bool = false
    ) {
        precondition(harts.indices.allSatisfy { harts[$0].index == $0 }, "harts are in the order of their IDs")
        peers = harts.map { Peer(hart: $0) }
        self.memory = memory
        self.console = console
        self.systemEvent = systemEvent
        self.warmResetIsPanic = warmResetIsPanic
    }

    package func handleSupervisorCall(on hart: Hart) { serve(hart) }

    /// Serves the call in the registers of `hart` (SBI 2.0, chapter 3) and moves its pc behind the ECALL.
    package func serve(_ hart: any SBIHart) {
        let number = UInt32(truncatingIfNeeded: hart[integer: 17])
        let function = UInt32(truncatingIfNeeded: hart[integer: 16])
        let arguments = SBIArguments(of: hart)
        // Before the call, because one that starts the hart elsewhere sets the pc.
        hart.pc &+= 4
        do throws(SBIError) {
            guard let kind = SBIExtension(rawValue: number), isPresent(kind) else { throw .notSupported }
            let value = try call(kind, function, arguments, on: hart)
            if number <= SBIExtension.lastLegacy {
                hart[integer: 10] = value
            } else {
                hart[integer: 10] = 0
                hart[integer: 11] = value
            }
        } catch .again {
            hart.pc &-= 4
        } catch {
            hart[integer: 10] = UInt64(bitPattern: error.rawValue)
            if number > SBIExtension.lastLegacy { hart[integer: 11] = 0 }
        }
    }

    private func call(
        _ kind: SBIExtension, _ function: UInt32, _ arguments: SBIArguments, on hart: any SBIHart
    ) throws(SBIError) -> UInt64 {
        switch kind {
        case .base: return try base(function, arguments, on: hart)
        case .timer:
            guard function == 0 else { throw .notSupported }
            hart.setSupervisorTimer(arguments[0])
            return 0
        case .interprocessorInterrupt: return try interrupt(function, arguments)
        case .remoteFence: return try remoteFence(function, arguments, on: hart)
        case .hartState: return try hartState(function, arguments, on: hart)
        case .systemReset: return try systemReset(function, arguments, on: hart)
        case .systemSuspend: return try systemSuspend(function, arguments, on: hart)
        case .debugConsole: return try debugConsole(function, arguments)
        case .legacySetTimer:
            hart.setSupervisorTimer(arguments[0])
            return 0
        case .legacyPutCharacter:
            if let console { try put(arguments[0], on: console) }
            return 0
        case .legacyGetCharacter:
            return console?.read(limit: 1).first.map { UInt64($0) } ?? UInt64(bitPattern: -1)
        case .legacyShutdown:
            end(.powerOff, calledBy: hart)
            return 0
        }
    }

    private func isPresent(_ kind: SBIExtension) -> Bool {
        switch kind {
        case .debugConsole, .legacyPutCharacter, .legacyGetCharacter: console != nil
        default: true
        }
    }

    /// SBI 2.0, chapter 4.
    private func base(
        _ function: UInt32, _ arguments: SBIArguments, on hart: any SBIHart
    ) throws(SBIError) -> UInt64 {
        switch function {
        case 0: return Self.specificationVersion
        case 1: return Self.implementationID
        case 2: return Self.implementationVersion
        case 3: return SBIExtension(rawValue: arguments.word(0)).map { isPresent($0) } == true ? 1 : 0
        case 4: return hart.machineIdentity.vendor
        case 5: return hart.machineIdentity.architecture
        case 6: return hart.machineIdentity.implementation
        default: throw .notSupported
        }
    }

    // MARK: Harts

    var hartCount: Int { peers.count }

    /// The hart of this ID; throws when there is none.
    func hart(_ index: UInt64) throws(SBIError) -> any SBIHart {
        guard index < UInt64(peers.count) else { throw .invalidParameter }
        return peers[Int(index)].hart
    }

    /// The harts that a mask and its base select (SBI 2.0, section 3.1): bit n is hart base + n, and a base of -1 selects
    /// all. Throws when one of them does not exist, before anything is done to the others.
    func harts(mask: UInt64, base: UInt64) throws(SBIError) -> [any SBIHart] {
        if base == .max { return peers.map(\.hart) }
        guard base < UInt64(peers.count) else { throw .invalidParameter }
        var selected: [any SBIHart] = []
        for bit in 0..<64 as Range<UInt64> where mask >> bit & 1 == 1 {
            selected.append(try hart(base + bit))
        }
        return selected
    }
}
