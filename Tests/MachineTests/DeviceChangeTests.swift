import Aerie
import Foundation
import TestSupport
import Testing

@Suite("Changes to the devices of a running machine") struct DeviceChangeTests {
    private func refusal(_ body: () throws(AerieError) -> Void) -> String? {
        do throws(AerieError) {
            try body()
            return nil
        } catch {
            return error.description
        }
    }

    @Test("A disk grows while its guest uses it, and not before the start, after the end, or to less")
    func growingDisk() throws {
        let program = try BareProgram(["runtime.S", "guest.c", "disk.c"], flags: ["-DROUNDS=400"])
        let path = program.path("disk")
        let size = 2048 * 512
        try Data(count: size).write(to: URL(filePath: path))
        var configuration = program.configuration
        configuration.disks = [Disk(path: path)]
        let console = RecordingConsole()
        let machine = try VirtualMachine(configuration, console: console)
        let larger = ByteSize(bytes: UInt64(size) * 2)
        let asked = "resizing disk 0 to 2M"
        #expect(
            refusal { () throws(AerieError) in try machine.resizeDisk(0, to: larger) }
                == "\(asked): the machine is created; it has to be running or paused")
        try machine.start()
        #expect(Patience.wait { console.text.hasPrefix(".") })
        try machine.resizeDisk(0, to: larger)
        #expect(try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int == size * 2)
        #expect(
            refusal { () throws(AerieError) in try machine.resizeDisk(0, to: .mebibytes(1)) }
                == """
                resizing disk 0 to 1M: 1048576 bytes are not more than the disk's 2097152, or not a multiple of its blocks
                """)
        #expect(
            refusal { () throws(AerieError) in try machine.resizeDisk(1, to: larger) }
                == "resizing disk 1 to 2M: the machine has 1 disks; name another one")
        #expect(
            refusal { () throws(AerieError) in try machine.setLink(ofCard: 0, isUp: false) }
                == "setting the link of network card 0: the machine has 0 network cards; name another one")
        try machine.pause()
        try machine.resizeDisk(0, to: .mebibytes(3))
        try machine.resume()
        console.tellToEnd()
        #expect(machine.wait() == .poweredOff, "\(console.text)")
        #expect(
            refusal { () throws(AerieError) in try machine.resizeDisk(0, to: .mebibytes(4)) }
                == "resizing disk 0 to 4M: the machine is ended; it has to be running or paused")
        #expect(try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int == size * 3)
    }
}
