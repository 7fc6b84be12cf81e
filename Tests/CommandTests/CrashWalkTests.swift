import Foundation
import GuestToolchain
import Testing

/// Verbs, and machines, that die at state-changing system calls, one after the other (`CrashWalk`).
@Suite(
    "Killed at a system call", .serialized,
    .enabled("needs strace and the right to trace") { CallTracer.obstacle == nil })
struct CrashWalkTests {
    @Test(
        "A verb whose process is killed at any call loses no machine, snapshot, disk or list, and leaves no process behind",
        arguments: CrashVerb.allCases)
    func client(_ verb: CrashVerb) throws {
        let scene = try CrashScene()
        try scene.prepare(verb)
        let list = scene.aerie.directory.path("calls")
        let result = try scene.aerie.run(verb.words, wrapper: CallTracer.listing(to: list))
        try #require(result.code == 0, "\(result.error)")
        let walk = try CrashWalk(verb.rawValue, list: list)
        #expect(walk.count > 0)
        var deaths = 0
        try walk.forEach { call, death in
            try scene.prepare(verb)
            if try scene.aerie.run(verb.words, wrapper: CallTracer.killing(at: call)).code == -SIGKILL { deaths += 1 }
            try scene.check(death, mayPause: verb.leavesPaused)
        }
        // Threads may change their order, so that a call does not come.
        #expect(!CallTracer.isWanted || deaths > walk.count / 2)
        try scene.end()
    }

    @Test(
        "A machine one of whose processes is killed at any call while a verb is about it is there, and starts again",
        arguments: CrashVerb.served)
    func served(_ verb: CrashVerb) throws {
        let scene = try CrashScene()
        let list = scene.aerie.directory.path("calls")
        try scene.prepare(verb)
        #expect(try scene.attend(verb) { CallTracer.listing(processes: $0, to: list) } == 0)
        let walk = try CrashWalk("a machine of \(verb.rawValue)", list: list)
        #expect(walk.count > 0)
        try walk.forEach { call, death in
            try scene.prepare(verb)
            try scene.attend(verb) { CallTracer.killing(processes: $0, at: call) }
            try scene.check(death, mayPause: verb.leavesPaused)
        }
        try scene.end()
    }

    @Test(
        "A machine one of whose processes is killed at any call, from its start by a verb to its end, is there or never was",
        arguments: CrashVerb.starting)
    func started(_ verb: CrashVerb) throws {
        let scene = try CrashScene()
        let list = scene.aerie.directory.path("calls")
        try scene.prepare(verb)
        try scene.live(verb, CallTracer.listingAll(to: list))
        let walk = try CrashWalk("a machine that \(verb.rawValue) starts", list: list)
        #expect(walk.count > 0)
        try walk.forEach { call, death in
            try scene.prepare(verb)
            try scene.live(verb, CallTracer.killingAny(at: call))
            try scene.check(death)
        }
        try scene.prepare(.start)
        #expect(try scene.aerie.run(["start", "one"]).code == 0)
        try scene.end()
    }

    @Test(
        "A monitor that dies before its first message to the machine's process leaves no process, and the machine starts again"
    )
    func firstMessage() throws {
        let scene = try CrashScene()
        try scene.prepare(.start)
        try scene.live(.start, CallTracer.killingAny(at: CallTracer.Call(name: "sendmsg", ordinal: 1)))
        try scene.check("a monitor, killed at its first message")
        try scene.prepare(.stop)
        try scene.end()
    }
}
