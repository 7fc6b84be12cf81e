import AerieMachines
import Foundation
import GuestToolchain
import Testing

/// The library's commands in a guest of this process. `make examples` runs them in guests of their own processes.
@Suite(
    "Debian in the library",
    .enabled("needs a Debian mirror and the tools that build an image") { DebianImage.obstacle == nil })
struct LibraryDebianTests {
    @Test("A guest of this process runs commands at once, within limits, until it powers off")
    func commands() async throws {
        let directory = TemporaryDirectory()
        let store = try MachineStore(
            stateDirectory: directory.path("state"),
            imageDirectory: DebianImage.buildDirectory.appending(path: "test-images/aerie/images").path)
        let image = try await store.image("debian")
        #expect(image.packages["pciutils"] != nil)
        var configuration = Configuration()
        configuration.memory = .mebibytes(256)
        configuration.sockets = SocketSettings(path: directory.path("vsock"))
        let machine = try VirtualMachine(try image.configuration(configuration))
        let console = try machine.openConsole()
        try await machine.start()
        do {
            try await machine.waitUntilReady(within: .seconds(600))
            #expect(try await machine.run(["uname", "-m"]).text == "riscv64\n")
            let inputs = (0..<20).map { "\($0)" }
            #expect(try await answers(to: inputs, by: ["cat"], through: machine.agent) == inputs)
            let line = try await firstError(of: .shell("echo a; echo error: b; sleep 1000"), through: machine.agent)
            #expect(line == "error: b")
            var endless = GuestCommand.shell("echo begun; while :; do :; done")
            endless.timeLimit = .seconds(1)
            let result = try await machine.run(endless)
            #expect(result.status == .timedOut)
            #expect(result.text == "begun\n")
            try await machine.agent.writeFile("/root/file", Array("text".utf8))
            #expect(try await machine.agent.readFile("/root/file") == Array("text".utf8))
            #expect(try await machine.stop(within: .seconds(600)) == .poweredOff)
        } catch {
            machine.kill()
            let (bytes, _) = try await console.output.collect(upTo: 1 << 20)
            Issue.record("\(error); the console has \(String(decoding: bytes, as: UTF8.self).suffix(2000))")
        }
    }
}
