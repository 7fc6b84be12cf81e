import Aerie
import Foundation
import GuestToolchain
import TestSupport
import Testing

@Suite("Saving a machine with disks") struct SavedDiskTests {
    private static let diskSize = 2048 * 512

    /// A guest that writes to its disk, reads it back, and prints a sum of it at the end.
    private func guest(_ access: Disk.Access) throws -> (BareProgram, Configuration) {
        let program = try BareProgram(["runtime.S", "guest.c", "disk.c"], flags: ["-DROUNDS=800"])
        var configuration = program.configuration
        configuration.disks = [Disk(path: program.path("disk"), access: access)]
        try contents().write(to: URL(filePath: program.path("disk")))
        return (program, configuration)
    }

    private func contents() -> Data {
        var random = SeededGenerator(seed: 7)
        return Data((0..<Self.diskSize).map { _ in UInt8(truncatingIfNeeded: random.next()) })
    }

    private func savedMachine(_ program: BareProgram, _ configuration: Configuration) throws -> String {
        let path = program.path("saved")
        let console = RecordingConsole()
        let machine = try VirtualMachine(configuration, console: console)
        try machine.start()
        // The first dot: an eighth of the rounds is done, and the disk has changed.
        #expect(Patience.wait { console.text.hasPrefix(".") })
        try machine.pause()
        try machine.save(to: path)
        machine.kill()
        #expect(machine.wait() == .stopped)
        return path
    }

    private func refusal(_ configuration: Configuration, _ path: String) throws -> AerieError? {
        let machine = try VirtualMachine(configuration, console: RecordingConsole())
        defer {
            machine.kill()
            _ = machine.wait()
        }
        do throws(AerieError) {
            try machine.start(restoring: path)
            return nil
        } catch {
            return error
        }
    }

    @Test(
        "What a guest has written to a disk goes with it through saving at random moments",
        arguments: [Disk.Access.discardChanges, .readWrite])
    func roundTripsUnderLoad(access: Disk.Access) throws {
        let (program, configuration) = try guest(access)
        let console = RecordingConsole()
        let machine = try VirtualMachine(configuration, console: console)
        console.tellToEnd()
        try machine.start()
        #expect(machine.wait() == .poweredOff)
        let expected = console.text
        #expect(expected.hasPrefix("........ "))
        try contents().write(to: URL(filePath: program.path("disk")))

        var random = SeededGenerator(seed: 1)
        let printed = try runMoving(configuration, through: program.path("saved"), count: 10) { _ in
            usleep(UInt32(random.next() % 30_000))
        }
        #expect(printed == expected)
        let isUnchanged = try Data(contentsOf: URL(filePath: program.path("disk"))) == contents()
        #expect(isUnchanged == (access == .discardChanges))
    }

    @Test(
        "A disk that is not what it was when the machine was saved is refused, and the line says why",
        arguments: [Disk.Access.discardChanges, .readWrite])
    func changedDisk(access: Disk.Access) throws {
        let (program, configuration) = try guest(access)
        let disk = program.path("disk")
        let path = try savedMachine(program, configuration)
        let good = try Data(contentsOf: URL(filePath: disk))
        func change(_ bytes: Data) throws -> String? {
            try bytes.write(to: URL(filePath: disk))
            let error = try refusal(configuration, path)
            #expect(error?.category == .badInput)
            return error?.found
        }
        let was = "disk \(disk) has changed since the machine was saved"
        #expect(
            try change(good + Data(count: 512))
                == "\(was): it had \(Self.diskSize) bytes and now has \(Self.diskSize + 512)")
        var written = good
        written[Self.diskSize / 2] ^= 1
        #expect(try change(written) == "\(was): it has been written to since")

        var other = configuration
        other.disks[0].access = .readOnly
        #expect(try refusal(other, path)?.category == .badInput)
        other.disks = []
        #expect(try refusal(other, path)?.found.contains("the saved machine has 1, this one 0") == true)
    }

    @Test("A copy of a disk with its time of change is the same disk, wherever it lies")
    func copiedDisk() throws {
        let (program, configuration) = try guest(.discardChanges)
        let path = try savedMachine(program, configuration)
        let copy = program.path("copy")
        #expect(try HostProgram.run("/bin/cp", ["--preserve=timestamps", program.path("disk"), copy]).status == 0)
        var moved = configuration
        moved.disks[0].path = copy
        #expect(try refusal(moved, path) == nil)
    }

    @Test("Damage anywhere in the saved changes of a disk is noticed")
    func damagedChanges() throws {
        let (program, configuration) = try guest(.discardChanges)
        let path = try savedMachine(program, configuration)
        let good = [UInt8](try Data(contentsOf: URL(filePath: path)))
        // The changes are the last part of the file.
        try #require(good.count > 100_000)
        for position in stride(from: good.count - 100_000, to: good.count, by: 4999) {
            var damaged = good
            damaged[position] ^= 0x40
            try Data(damaged).write(to: URL(filePath: path))
            #expect(try refusal(configuration, path)?.category == .badInput)
        }
        try Data(good.dropLast(24)).write(to: URL(filePath: path))
        #expect(try refusal(configuration, path)?.category == .badInput)
    }
}
