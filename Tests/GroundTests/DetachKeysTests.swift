import HostSystem
import Testing

@Suite("Detach keys")
struct DetachKeysTests {
    @Test("ctrl-p ctrl-q leaves; a ctrl-p before other keys is the command's")
    func usual() {
        var keys = DetachKeys.usual
        #expect(keys.examine([1, 0x10]) == ([1], false))
        #expect(keys.examine([2]) == ([0x10, 2], false))
        #expect(keys.examine([0x10, 0x10]) == ([0x10], false))
        #expect(keys.examine([0x11, 3]) == ([], true))
        #expect(keys.examine([0x11]) == ([0x11], false))
    }

    @Test("A sequence that begins with itself is found behind a false start")
    func overlap() throws {
        var keys = try #require(DetachKeys(parsing: "a,a,b"))
        #expect(keys.examine(Array("aaab".utf8)) == (Array("a".utf8), true))
    }

    @Test("An empty sequence never leaves")
    func none() throws {
        var keys = try #require(DetachKeys(parsing: ""))
        #expect(keys.examine([0x10, 0x11]) == ([0x10, 0x11], false))
    }

    @Test("Wrong notation is refused", arguments: ["ctrl-", "ctrl-1", "xy", "ctrl-p,", ",", "é", "ctrl-pp"])
    func wrong(text: String) {
        #expect(DetachKeys(parsing: text) == nil)
    }
}
