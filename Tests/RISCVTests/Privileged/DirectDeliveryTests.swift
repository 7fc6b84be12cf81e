import GuestToolchain
import Testing

/// An APLIC that interrupts harts directly (Advanced Interrupt Architecture 1.0, section 4.8), on every engine and on QEMU.
@Suite struct DirectDeliveryTests {
    private static var runners: [any GuestRunner] {
        let ours = GuestRunners.ours.compactMap { $0 as? AerieRunner }.map { runner in
            var runner = runner
            runner.hasDirectAPLIC = true
            return runner
        }
        var qemu = QEMURunner.installed
        qemu?.hasDirectAPLIC = true
        return ours + [qemu].compactMap { $0 }
    }

    private func check(_ program: String, harts: Int) throws {
        let image = try Toolchain.build(["runtime.S", "guest.c", program], flags: ["-DHARTS=\(harts)"])
        var consoles: [String] = []
        for runner in Self.runners {
            let outcome = try runner.run(image, harts: harts, memory: 32 << 20, dump: 0..<0)
            #expect(outcome.end == .exit(0), "\(runner.name): \(outcome.console)")
            consoles.append(outcome.console)
        }
        #expect(consoles.allSatisfy { $0 == consoles[0] && !$0.isEmpty }, "\(consoles)")
    }

    @Test(arguments: [1, 2])
    func registersPrioritiesAndWiresFollowTheSpecificationAsOnQEMU(harts: Int) throws {
        try check("aplic.c", harts: harts)
    }

    @Test(arguments: [2, 4])
    func interruptsWakeHartsThatWaitAndNoneIsLost(harts: Int) throws {
        try check("aplic_harts.c", harts: harts)
    }
}
