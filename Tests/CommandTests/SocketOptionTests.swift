import Aerie
import CSockets
import Foundation
import GuestToolchain
import Testing

@Suite("Options for sockets and dead guests") struct SocketOptionTests {
    @Test("A socket has a path, in which a comma is written twice, and a guest's address")
    func parsing() throws {
        let plain = try SocketSettings(option: "vm.sock")
        #expect((plain.path, plain.guestCID) == ("vm.sock", 3))
        let full = try SocketSettings(option: "a,,b,cid=4294967294")
        #expect((full.path, full.guestCID) == ("a,b", 4_294_967_294))
        for wrong in ["x,cid=2", "x,cid=4294967295", "x,cid=-3", "x,cid=", "x,port=1", "x,"] {
            let error = #expect(throws: AerieError.self) { try SocketSettings(option: wrong) }
            #expect(error?.category == .usage, "\(wrong)")
        }
    }

    @Test("The socket's file is there while the guest runs; one that is in use, or cannot be made, is an error")
    func files() throws {
        let aerie = try AerieProcess()
        let firmware = try aerie.directory.file("off.bin", GuestProgram.powerOff)
        func run(_ path: String) throws -> AerieResult {
            try aerie.run(["run", "--firmware", firmware, "--vsock", path])
        }
        let path = aerie.directory.path("vm.sock")
        // Left over by a process that was killed.
        close(aerie_stream_listen(path))
        #expect(try run(path).code == 0)
        #expect(access(path, F_OK) != 0)
        let listener = aerie_stream_listen(path)
        let used = try run(path)
        #expect(used.code == 65)
        #expect(
            used.error
                == "aerie: --vsock \(path): another program listens at this socket; choose another path\n")
        #expect(access(path, F_OK) == 0)
        close(listener)
        let file = try run(firmware)
        #expect(file.code == 65)
        #expect(file.error.contains("the file there is not a socket"))
        #expect(try run("/nowhere/vm.sock").code == 65)
        #expect(try run(String(repeating: "x", count: 97)).code == 64)
    }

    @Test("An unknown answer to a dead guest is refused")
    func watchdog() throws {
        let aerie = try AerieProcess()
        let firmware = try aerie.directory.file("off.bin", GuestProgram.powerOff)
        let wrong = try aerie.run(["run", "--firmware", firmware, "--watchdog", "sleep"])
        #expect(wrong.code == 64)
        #expect(wrong.error.contains("use one of reboot, poweroff, pause, none"))
        #expect(try aerie.run(["run", "--firmware", firmware, "--watchdog", "reboot"]).code == 0)
    }
}
