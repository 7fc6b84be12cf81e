import Glibc
import HostSystem
import Testing

@testable import Jail

@Suite("The jail") struct JailTests {
    @Test("A report goes through a pipe, and malformed ones are none")
    func reports() {
        var report = JailReport()
        report.add(.landlock, "the kernel has none")
        report.add(.userNamespace, "unshare: No space left on device")
        report.add(.landlock, "another reason")
        #expect(report.gaps.map(\.layer) == [.userNamespace, .landlock])
        #expect(JailReport(encoded: report.encoded) == report)
        #expect(
            report.summary
                == "no user namespace (unshare: No space left on device), no Landlock (the kernel has none)")
        #expect(JailReport(encoded: []) == JailReport())
        for text in ["x y\n", "99 y\n", "-1 y\n", "1\n"] { #expect(JailReport(encoded: Array(text.utf8)) == nil) }
    }

    @Test("Users keep their numbers in the user namespace that root enters")
    func identities() {
        #expect(IdentityMap.same(as: "         0          0 4294967295\n") == "0 0 4294967295\n")
        #expect(IdentityMap.same(as: "0 100000 65536\n70000 1000 1\n") == "0 0 65536\n70000 70000 1\n")
        #expect(IdentityMap.same(as: "") == nil)
        #expect(IdentityMap.same(as: "0 0\n") == nil)
        #expect(IdentityMap.same(as: "0 0 x\n") == nil)
    }

    @Test("Each version of Landlock is asked for the rights that it knows, and says what it lacks")
    func landlock() {
        let rights = (1...7).map { LandlockRights(version: $0) }
        #expect(rights.map(\.files) == [0x1FFF, 0x3FFF, 0x7FFF, 0x7FFF, 0xFFFF, 0xFFFF, 0xFFFF])
        #expect(rights.map(\.network) == [0, 0, 0, 3, 3, 3, 3])
        #expect(rights.map(\.scopes) == [0, 0, 0, 0, 0, 3, 3])
        #expect(rights.map(\.size) == [8, 8, 8, 16, 16, 24, 24])
        #expect(rights.map { $0.missing == nil } == [false, false, false, false, false, true, true])
        #expect(rights[6].changing == 0x77BE)
        #expect(rights[6].reading == 0xC)
    }

    @Test(
        "A process with other threads does not start one in a jail, which would wait for ever for a lock that another thread holds"
    )
    func otherThreads() throws {
        let begins = try SocketPair()
        let other = try HostThread(name: "other") { [descriptor = begins.second.rawValue] in
            var byte: UInt8 = 0
            _ = read(descriptor, &byte, 1)
        }
        defer { other.join() }
        defer { _ = shutdown(begins.first.rawValue, Int32(SHUT_RDWR)) }
        let error = #expect(throws: JailError.self) { _ = try Jail.start(JailSettings()) { _ in 0 } }
        #expect(error?.asked == "starting the machine's process")
        #expect(error?.found.hasPrefix("the calling process has ") == true)
    }

    @Test("How the process ended is what waitpid says")
    func endings() {
        #expect(JailedProcess.Ending(status: 42 << 8) == .exited(42))
        #expect(JailedProcess.Ending(status: 31) == .signalled(31))
        #expect(JailedProcess.Ending(status: 0) == .exited(0))
    }

    @Test(
        "With privileges the user namespace comes later; without, it comes first; layers that are left out are not tried"
    )
    func attempts() {
        let all = NamespaceAttempt.all(omitting: [])
        #expect(all.last?.namespaces == 0)
        #expect(all.first?.hasUser == !NamespaceAttempt.isPrivileged)
        #expect(all.first?.hasProcess == true)
        #expect(NamespaceAttempt.all(omitting: [.userNamespace, .processNamespace]).map(\.namespaces) == [0])
        #expect(NamespaceAttempt.all(omitting: [.userNamespace]).allSatisfy { !$0.hasUser })
    }
}
