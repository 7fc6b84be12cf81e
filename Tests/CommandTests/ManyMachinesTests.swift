import Foundation
import GuestToolchain
import Testing

@Suite("Many machines in one process") struct ManyMachinesTests {
    private struct Holdings: Decodable {
        let descriptors: Int
        let threads: Int
        let mappings: Int
        let memory: Int
        let allocated: Int
    }

    @Test(
        "Machines that have ended leave no descriptor, no thread, no mapping and no memory behind",
        arguments: [("interpret", 1000), ("translate", 1000)])
    func nothingIsLeft(engine: String, count: Int) throws {
        let aerie = try AerieProcess()
        let firmware = try aerie.directory.file("firmware", GuestProgram.powerOff)
        try expectNothingIsLeft(aerie, ["--sessions", "\(count)", firmware, engine], count: count)
    }

    private static let hasKVM = access("/dev/kvm", R_OK | W_OK) == 0

    @Test(
        "Machines with KVM that have ended leave nothing behind either",
        .enabled(if: hasKVM, "this host has no KVM for us"))
    func nothingOfKVMIsLeft() throws {
        let kernel = try X86Toolchain.program("hello").path
        try expectNothingIsLeft(try AerieProcess(), ["--sessions", "1000", kernel, "kvm"], count: 1000)
    }

    private func expectNothingIsLeft(_ aerie: AerieProcess, _ arguments: [String], count: Int) throws {
        let result = try aerie.run(arguments, program: "MachineHost")
        #expect(result.code == 0, "\(result.error)")
        let holdings = try JSONDecoder().decode([Holdings].self, from: Data(result.output.utf8))
        let (before, after) = (holdings[0], holdings[1])
        #expect(after.descriptors == before.descriptors)
        #expect(after.threads == before.threads)
        // The allocator may divide a mapping or add an arena: one mapping for each machine would be far more.
        #expect(after.mappings <= before.mappings + 20)
        // The smallest object has 32 bytes. What the first machines leave in caches does not grow with their number.
        #expect(after.allocated <= before.allocated + count * 32)
        // A stack that is left behind has 8 KiB in memory at least, a machine much more. What the allocator holds free does not count.
        #expect(after.memory <= before.memory + (2 << 20))
    }
}
