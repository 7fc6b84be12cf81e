import ControlAPI
import Foundation
import GuestToolchain
import Runtime
import Testing

@Suite("The allocator of a machine's process") struct AllocatorTests {
    @Test(
        "It keeps no free memory for each thread, which an idle machine could not give back; the user's own tunables count as well",
        arguments: [nil, "glibc.malloc.top_pad=4096"])
    func tunables(own: String?) throws {
        let aerie = try AerieProcess()
        let firmware = try aerie.directory.file("sleep.bin", GuestProgram.sleep)
        let variable = "GLIBC_TUNABLES"
        let result = try aerie.run(
            ["run", "--detach", "--name", "one", "--memory", "16M", "--firmware", firmware, "--network", "none"],
            environment: own.map { [variable: $0] } ?? [:])
        try #require(result.code == 0, "\(result.error)")
        defer { _ = try? aerie.run(["rm", "--force", "one"]) }
        let machine = try StateDirectory(environment: aerie.environment).find("one")
        let data = try #require(FileManager.default.contents(atPath: "/proc/\(machine.status.monitor)/environ"))
        // The C library ends each tunable in its place when it reads them.
        let text = String(decoding: data, as: UTF8.self).replacing(":", with: "\0")
        #expect(text.contains("\(variable)=glibc.malloc.tcache_count=0\0\(own.map { "\($0)\0" } ?? "")"), "\(text)")
    }
}
