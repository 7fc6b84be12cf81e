import Aerie
import GuestToolchain
import Testing

@Suite struct ShareOptionTests {
    private let directory = TemporaryDirectory()

    @Test(
        arguments: [
            (".:/work", Share(hostDirectory: ".", guestDirectory: "/work")),
            ("/a:/b:ro", Share(hostDirectory: "/a", guestDirectory: "/b", access: .readOnly)),
            ("/a:b:/c", Share(hostDirectory: "/a:b", guestDirectory: "/c")),
            ("/a,,b:/c,owner=pass", Share(hostDirectory: "/a,b", guestDirectory: "/c", ownership: .pass)),
            ("a:/b:rw,owner=caller", Share(hostDirectory: "a", guestDirectory: "/b")),
            (
                "a:/b,map=0:1000:1+1:100000:65535",
                Share(
                    hostDirectory: "a", guestDirectory: "/b",
                    ownership: .map([
                        Share.Range(guest: 0, host: 1000, count: 1), Share.Range(guest: 1, host: 100_000, count: 65535),
                    ]))
            ),
        ] as [(String, Share)])
    func aShareIsTwoDirectoriesWithSettings(text: String, share: Share) throws {
        #expect(try Share(option: text) == share)
    }

    @Test(
        arguments: [
            "", "/a", ":/b", "/a:", "/a:b", "/a:/b,", "/a:/b,owner", "/a:/b,owner=me", "/a:/b,map=", "/a:/b,map=1:2",
            "/a:/b,map=0:0:x", "/a:/b,map=-1:0:1", "/a:/b,cache=none",
        ])
    func otherSharesAreUsageErrors(text: String) {
        #expect(throws: AerieError.self) { try Share(option: text) }
    }

    private func error(_ shares: [Share], _ change: (inout Configuration) -> Void = { _ in }) -> AerieError? {
        var configuration = Configuration()
        configuration.kernel = "/proc/self/exe"
        configuration.shares = shares
        change(&configuration)
        do throws(AerieError) { try configuration.validate() } catch { return error }
        return nil
    }

    private func share(_ guest: String, _ ownership: Share.Ownership = .caller) -> Share {
        Share(hostDirectory: directory.path, guestDirectory: guest, ownership: ownership)
    }

    @Test func aDirectoryThatIsThereIsAccepted() {
        #expect(error([share("/work"), share("/srv/data", .map([.init(guest: 0, host: 1, count: 1)]))]) == nil)
    }

    @Test func whatCannotBeSharedIsRefusedInWords() throws {
        let missing = Share(hostDirectory: "/nowhere", guestDirectory: "/work")
        #expect(error([missing])?.description == "--share /nowhere: No such file or directory; check the path")
        let file = Share(hostDirectory: try directory.file("file", [1]), guestDirectory: "/work")
        #expect(error([file])?.found == "it is not a directory")
        for guest in ["", "/", "work", "/a b", "/a/../b", "/a\"", "/\(String(repeating: "a", count: 255))"] {
            #expect(error([share(guest)])?.category == .usage, "\(guest)")
        }
        #expect(error([share("/work"), share("/work")])?.found == "another share has this directory in the guest")
        let many = (0..<17).map { share("/work\($0)") }
        #expect(error(many) { $0.transport = .pci }?.found == "a machine has at most 16")
        #expect(error(Array(many.prefix(8)))?.asked == "8 shared folders")
        #expect(error(Array(many.prefix(16))) { $0.transport = .pci } == nil)
        for ranges in [
            [], [Share.Range(guest: 0, host: 0, count: 0)], [Share.Range(guest: 0, host: .max, count: 1)],
            [Share.Range(guest: 0, host: 0, count: 10), Share.Range(guest: 5, host: 100, count: 1)],
            [Share.Range(guest: 0, host: 0, count: 10), Share.Range(guest: 50, host: 9, count: 1)],
        ] as [[Share.Range]] {
            #expect(error([share("/work", .map(ranges))])?.category == .usage)
        }
    }
}
