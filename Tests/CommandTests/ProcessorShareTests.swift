import ControlAPI
import Foundation
import GuestToolchain
import HostSystem
import TestSupport
import Testing

@testable import Runtime

/// Shares of a busy processor, in processor time: other programs on the host take from both machines alike.
@Suite("A machine's share of processors", .serialized) struct ProcessorShareTests {
    private static let second: UInt64 = 1_000_000_000

    /// Two machines on one processor, and how much more time the first one gets.
    private func ratio(_ machines: [KeptMachine], over time: UInt64 = 2 * second) throws -> Double {
        let first = machines.map(\.processorTime)
        var last = first
        try #require(
            Patience.wait {
                usleep(20_000)
                last = machines.map(\.processorTime)
                return last[0] + last[1] - first[0] - first[1] >= time
            })
        return Double(last[0] - first[0]) / Double(last[1] - first[1])
    }

    /// Checks that the first machine gets three times as much. A disturbance of the host passes; a wrong share does not.
    private func expectThree(_ machines: [KeptMachine]) throws {
        var ratios: [Double] = []
        repeat { ratios.append(try ratio(machines)) } while !(2.7...3.3).contains(ratios.last ?? 0) && ratios.count < 3
        #expect((2.7...3.3).contains(ratios.last ?? 0), "\(ratios)")
    }

    private func weights(wrapper: [String]) throws {
        let aerie = try AerieProcess()
        let pin = ["--pin", "\(try KeptMachine.processor())"]
        let heavy = try KeptMachine("heavy", ["--cpu-weight", "300"] + pin, on: aerie, wrapper: wrapper)
        defer { heavy.remove() }
        let light = try KeptMachine("light", ["--cpu-weight=100"] + pin, on: aerie, wrapper: wrapper)
        defer { light.remove() }
        #expect((heavy.group == nil) == !wrapper.isEmpty)
        try expectThree([heavy, light])
        let result = try aerie.run(["set", "light", "--cpu-weight", "900"], wrapper: wrapper)
        #expect(result.code == 0, "\(result.error)")
        try expectThree([light, heavy])
    }

    /// The most that a limited machine gets. It has a weight with which it gets what it may on a busy host, too.
    private func limit(wrapper: [String]) throws {
        let aerie = try AerieProcess()
        let options = ["--cpu-limit", "30%", "--cpu-weight", "10000", "--pin", "\(try KeptMachine.processor())"]
        let machine = try KeptMachine("limited", options, on: aerie, wrapper: wrapper)
        defer { machine.remove() }
        #expect((machine.group == nil) == !wrapper.isEmpty)
        func share(least: UInt64) throws -> Double {
            // The change is a moment ago: whole periods from here on.
            usleep(200_000)
            let (start, first) = (HostClock.monotonic(), machine.processorTime)
            try #require(Patience.wait { machine.processorTime - first >= least })
            return Double(machine.processorTime - first) / Double(HostClock.monotonic() - start) * 100
        }
        let limited = try share(least: Self.second)
        #expect((27...33).contains(limited), "\(limited)")
        for (limit, range) in [("60%", 57.0...63), ("none", 70...101)] {
            let result = try aerie.run(["set", "limited", "--cpu-limit", limit], wrapper: wrapper)
            #expect(result.code == 0, "\(result.error)")
            let share = try share(least: Self.second)
            #expect(range.contains(share), "\(limit): \(share)")
        }
    }

    @Test(
        "Machines of weights 3 to 1 get 3 to 1 of a busy processor by control groups",
        .enabled("needs root and control groups of version 1") { KeptMachine.canMakeGroups })
    func weightsByGroups() throws { try weights(wrapper: []) }

    @Test(
        "Machines of weights 3 to 1 get 3 to 1 of a busy processor by nice values",
        .enabled("needs root and mount namespaces") { KeptMachine.canHideGroups })
    func weightsByNice() throws { try weights(wrapper: KeptMachine.withoutGroups) }

    @Test(
        "A machine gets the limit that it has, by its control group",
        .enabled("needs root and control groups of version 1") { KeptMachine.canMakeGroups })
    func limitByGroups() throws { try limit(wrapper: []) }

    @Test(
        "A machine gets the limit that it has, without control groups",
        .enabled("needs root and mount namespaces") { KeptMachine.canHideGroups })
    func limitByItself() throws { try limit(wrapper: KeptMachine.withoutGroups) }

    @Test(
        "The control group goes with the machine, and with its removal after its processes were killed",
        .enabled("needs root and control groups of version 1") { KeptMachine.canMakeGroups })
    func groupsGo() throws {
        let aerie = try AerieProcess()
        let machine = try KeptMachine("kept", ["--cpu-limit", "50%"], on: aerie)
        defer { machine.remove() }
        let group = try #require(machine.group)
        #expect(group.hasSuffix("/aerie-\(machine.machine.record.id)"))
        #expect(FileManager.default.fileExists(atPath: group))
        #expect(try aerie.run(["kill", "kept"]).code == 0)
        #expect(!FileManager.default.fileExists(atPath: group))
        #expect(machine.group == nil)

        func crash() throws {
            #expect(try aerie.run(["start", "kept"]).code == 0)
            let status = machine.machine.status
            // Stopped first, so that the monitor does not see the end of the machine.
            for process in [status.monitor, status.process] { kill(process, SIGSTOP) }
            for process in [status.process, status.monitor] { kill(process, SIGKILL) }
            try machine.machine.waitForEnd()
            #expect(FileManager.default.fileExists(atPath: group))
        }
        try crash()
        // The next start uses it again.
        #expect(try aerie.run(["start", "kept"]).code == 0)
        #expect(machine.group == group)
        #expect(try aerie.run(["kill", "kept"]).code == 0)
        try crash()
        #expect(try aerie.run(["rm", "kept"]).code == 0)
        #expect(!FileManager.default.fileExists(atPath: group))
    }

    @Test("A processor that is not there is refused at the start, in one line, and the machine ends")
    func missingProcessor() throws {
        let aerie = try AerieProcess()
        let firmware = try aerie.directory.file("busy", GuestProgram.busy)
        let result = try aerie.run([
            "run", "--detach", "--name", "pinned", "--firmware", firmware, "--network", "none", "--pin", "1023",
        ])
        #expect(result.code == 69)
        #expect(
            result.error == """
                aerie: pinning to processors 1023: this host has none of them for this user; see /sys/devices/system/cpu/online

                """)
        #expect(try aerie.run(["rm", "pinned"]).code == 0)
    }
}
