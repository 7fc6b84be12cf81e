import GuestMemory
import GuestToolchain
import Machine
import PlatformDevices
import SavedState
import Synchronization
import Testing

@testable import RISCV

/// The Advanced Interrupt Architecture 1.0 of harts with interrupt files: bare-metal programs of `Guests`, on every engine and on QEMU.
@Suite struct AdvancedInterruptTests {
    private static func runners(hasHypervisor: Bool) -> [any GuestRunner] {
        let ours = GuestRunners.ours.compactMap { $0 as? AerieRunner }.map { runner in
            var runner = runner
            runner.hasAdvancedInterrupts = true
            runner.hasHypervisor = hasHypervisor
            runner.extensions = ExtensionSet(Extension.allCases)
            return runner
        }
        var qemu = QEMURunner.installed
        qemu?.hasAdvancedInterrupts = true
        qemu?.hasHypervisor = hasHypervisor
        return ours + [qemu].compactMap { $0 }
    }

    /// Runs a program everywhere; all machines print the same.
    private func check(_ program: String, harts: Int = 1, hasHypervisor: Bool) throws {
        let image = try Toolchain.build(["runtime.S", "guest.c", program], flags: ["-DHARTS=\(harts)"])
        var consoles: [String] = []
        for runner in Self.runners(hasHypervisor: hasHypervisor) {
            let outcome = try runner.run(image, harts: harts, memory: 32 << 20, dump: 0..<0)
            #expect(outcome.end == .exit(0), "\(runner.name): \(outcome.console)")
            consoles.append(outcome.console)
        }
        #expect(consoles.allSatisfy { $0 == consoles[0] && !$0.isEmpty }, "\(consoles)")
    }

    @Test(arguments: [false, true])
    func interruptFilesAndTheControllerOfWiresFollowTheSpecificationAsOnQEMU(hasHypervisor: Bool) throws {
        try check("aia.c", hasHypervisor: hasHypervisor)
    }

    @Test func guestsHaveInterruptFilesOfTheirOwnAsOnQEMU() throws {
        try check("aia_guests.c", hasHypervisor: true)
    }

    @Test(arguments: [2, 4])
    func messagesWakeHartsThatWaitAndNoneIsLost(harts: Int) throws {
        try check("aia_harts.c", harts: harts, hasHypervisor: false)
    }

    // MARK: Registers

    private static let machineNumbers = [CSR.mvien, CSR.mvip, CSR.miselect, CSR.mireg, CSR.mtopei, CSR.mtopi]
    private static let supervisorNumbers = [CSR.siselect, CSR.sireg, CSR.stopei, CSR.stopi]
    private static let hypervisorNumbers = [
        CSR.hvien, CSR.hvictl, CSR.hviprio1, CSR.hviprio2, CSR.vsiselect, CSR.vsireg, CSR.vstopei, CSR.vstopi,
    ]

    private final class Pins: InterruptSink {
        let hart = Mutex<Hart?>(nil)

        func setInterrupt(_ number: Int, level: Bool) { hart.withLock { $0 }?.setInterrupt(number, level: level) }
    }

    private func makeHart(
        _ extensions: [Extension] = Extension.allCases, hasHypervisor: Bool = true, guests: Int = 7
    ) throws -> (hart: Hart, files: [any InterruptFile]) {
        let space = AddressSpace(memory: try GuestMemory(ranges: [(base: Toolchain.base, size: 1 << 20)]))
        let hart = Hart(
            index: 0, addressSpace: space, timeBase: TimeBase(), resetAddress: Toolchain.base,
            extensions: ExtensionSet(extensions), hasHypervisor: hasHypervisor, guestFileCount: guests)
        let pins = Pins()
        let count = hasHypervisor ? guests : 0
        let machine = IMSIC(name: "m", lines: [[InterruptLine(sink: pins, number: 11)]]).files(ofHart: 0)
        let supervisor = IMSIC(
            name: "s",
            lines: [
                [InterruptLine(sink: pins, number: 9)]
                    + (0..<count).map { InterruptLine(sink: pins, number: Hart.guestExternalInterrupts + $0) }
            ]
        ).files(ofHart: 0)
        hart.connect(
            InterruptFiles(machine: machine[0], supervisor: supervisor[0], guests: Array(supervisor.dropFirst())))
        pins.hart.withLock { $0 = hart }
        return (hart, machine + supervisor)
    }

    @Test(arguments: [[], [Extension.smaia], [.ssaia], [.smaia, .ssaia]], [false, true])
    func registersAreThereWithTheirExtension(parts: [Extension], hasHypervisor: Bool) throws {
        let base = Extension.allCases.filter { ![.smaia, .ssaia].contains($0) }
        let (hart, _) = try makeHart(base + parts, hasHypervisor: hasHypervisor)
        for number in [CSR.miselect, CSR.siselect, CSR.vsiselect] { hart.writeCSR(number, 0x70) }
        hart.writeCSR(CSR.hstatus, 1 << 12)
        for number in Self.machineNumbers {
            #expect((hart.readCSR(number) != nil) == parts.contains(.smaia), "\(number)")
        }
        for number in Self.supervisorNumbers {
            #expect((hart.readCSR(number) != nil) == parts.contains(.ssaia), "\(number)")
        }
        for number in Self.hypervisorNumbers {
            #expect((hart.readCSR(number) != nil) == (parts.contains(.ssaia) && hasHypervisor), "\(number)")
        }
        // Nothing shows that interrupts from elsewhere are looked for.
        hart.writeCSR(CSR.mie, .max)
        #expect(hart.readCSR(CSR.mie) == (hasHypervisor ? 0x1EEE : 0xAAA))
        #expect(hart.readCSR(CSR.mip) == 0)
        let enables: UInt64? = hasHypervisor ? (parts.contains(.ssaia) ? 0xDC << 56 : 0xC0 << 56) : nil
        hart.writeCSR(CSR.mstateen.lowerBound, .max)
        #expect(hart.readCSR(CSR.mstateen.lowerBound) == enables)
    }

    @Test func withoutGuestFilesThereAreNoGuestExternalInterrupts() throws {
        let (hart, _) = try makeHart(guests: 0)
        hart.writeCSR(CSR.hgeie, .max)
        hart.writeCSR(CSR.hstatus, 63 << 12)
        hart.writeCSR(CSR.mie, .max)
        #expect(hart.readCSR(CSR.hgeie) == 0)
        #expect(hart.readCSR(CSR.hstatus) == 2 << 32)
        #expect(hart.readCSR(CSR.mie) == 0xEEE)
        #expect(hart.readCSR(CSR.mideleg) == 0x444)
        hart.writeCSR(CSR.vsiselect, 0x70)
        #expect(hart.readCSR(CSR.vsireg) == nil)
        #expect(hart.readCSR(CSR.vstopei) == nil)
    }

    @Test func aNumberWithoutAnInterruptFileLeavesTheGuestItsFile() throws {
        let (hart, _) = try makeHart(guests: 3)
        hart.writeCSR(CSR.hstatus, 3 << 12)
        hart.writeCSR(CSR.hstatus, 4 << 12 | 1 << 8)
        #expect(hart.readCSR(CSR.hstatus) == 2 << 32 | 3 << 12 | 1 << 8)
        hart.writeCSR(CSR.hgeie, .max)
        #expect(hart.readCSR(CSR.hgeie) == 0b1110)
    }

    // MARK: State

    @Test func aHartIsSavedWithItsRegistersAndRestoredOnlyWhereTheyAre() throws {
        let (hart, _) = try makeHart()
        let values: [(Int, UInt64)] = [
            (CSR.miselect, 0x72), (CSR.siselect, 0xC0), (CSR.vsiselect, 0x1FF), (CSR.mvien, 0x202), (CSR.mvip, 0x200),
            (CSR.sie, 0x202), (CSR.hgeie, 0xA4), (CSR.hvictl, 1 << 30 | 37 << 16 | 0x3FF), (CSR.mie, 0x1EEE),
            (CSR.hstatus, 2 << 32 | 7 << 12), (CSR.mideleg, 0x1444), (CSR.mstateen.lowerBound, 0x5C << 56),
        ]
        for (number, value) in values { hart.writeCSR(number, value) }
        let record = try hart.save()
        let (other, _) = try makeHart()
        try other.restore(record)
        for (number, value) in values { #expect(other.readCSR(number) == value, "\(String(number, radix: 16))") }
        #expect(try other.save() == record)
        // It finds interrupts as before.
        #expect(other.state.pointee.interruptToTake(other.state.pointee.pendingInterrupts())?.level == nil)
        #expect(other.readCSR(CSR.stopi) == 9 << 16 | 1)
        #expect(other.readCSR(CSR.vstopi) == 37 << 16 | 255)

        let plain = Extension.allCases.filter { ![.smaia, .ssaia].contains($0) }
        let (without, _) = try makeHart(plain)
        #expect(throws: SavedStateError.badField(kind: "riscv-hart", field: "extensions")) {
            try without.restore(record)
        }
        let (fewer, _) = try makeHart(guests: 3)
        #expect(throws: SavedStateError.self) { try fewer.restore(record) }
    }

    @Test func aHartOfAnOlderRecordHasTheRegistersOfReset() throws {
        // The form from before there was a choice of extensions names none.
        let plain = Extension.allCases.filter { ![.smaia, .ssaia].contains($0) }
        let saved = try makeHart(plain, hasHypervisor: false).hart.save()
        var old = SavedRecord(kind: saved.kind, version: 2)
        for (name, value) in saved.fields where !["extensions", "absentExtensions"].contains(name) {
            old.set(name, value)
        }
        let (hart, files) = try makeHart()
        hart.writeCSR(CSR.siselect, 0x70)
        hart.writeCSR(CSR.hvictl, 1 << 30)
        try hart.restore(old)
        #expect(hart.readCSR(CSR.siselect) == 0)
        #expect(hart.readCSR(CSR.hvictl) == 0)
        // Its interrupts work: mie has the bit by which they are found.
        hart.writeCSR(CSR.mvien, 0x200)
        hart.writeCSR(CSR.mvip, 0x200)
        hart.writeCSR(CSR.sie, 0x200)
        #expect(hart.state.pointee.pendingInterrupts() & hart.state.pointee.csr.mie != 0)
        #expect(files.count == 9)
    }

    @Test func writesOfEveryRegisterWithEveryValueDoNoHarm() throws {
        let (hart, files) = try makeHart()
        var random = SystemRandomNumberGenerator()
        let numbers = Self.machineNumbers + Self.supervisorNumbers + Self.hypervisorNumbers
        for round in 0..<200_000 {
            let number = numbers[round % numbers.count]
            let value = UInt64.random(in: 0...UInt64.max, using: &random) >> UInt64(8 * (round % 8))
            hart.writeCSR(number, round % 3 == 0 ? value & 0xFF : value)
            _ = hart.readCSR(number)
            if round % 16 == 0 { hart.writeCSR(CSR.hstatus, value) }
            _ = files[round % files.count].top(claims: round % 5 == 0)
            _ = hart.state.pointee.interruptToTake(hart.state.pointee.pendingInterrupts())
        }
        #expect(hart.readCSR(CSR.mvien).map { $0 & ~0x202 } == 0)
    }
}
