import Foundation
import GuestToolchain
import TestSupport

/// The calls at which programs die, one after the other, in a test of one subject. The list of calls comes from a run without a death.
///
/// A usual run takes some calls by chance. AERIE_CRASH_SEED chooses others, or again those of a failure; AERIE_CRASH_WALK=1 takes all.
struct CrashWalk {
    /// Calls of a usual run, of each subject, and the most of a whole walk: of more, it takes some at equal distances.
    private static let (sampleSize, most) = (2, 250)
    private static let seed =
        ProcessInfo.processInfo.environment["AERIE_CRASH_SEED"].flatMap { UInt64($0) } ?? .random(in: 1...999_999)

    let subject: String
    private let calls: [CallTracer.Call]

    /// - Parameter list: what `CallTracer.listing` has written.
    init(_ subject: String, list: String) throws {
        self.subject = subject
        calls = try CallTracer.calls(in: list)
    }

    /// How many calls there are.
    var count: Int { calls.count }

    /// Calls `body` with each call at which the subject has to die, and with words that name it.
    func forEach(_ body: (_ call: CallTracer.Call, _ death: String) throws -> Void) rethrows {
        for call in choice { try body(call, "\(subject), killed at \(call) (AERIE_CRASH_SEED=\(Self.seed))") }
    }

    /// All calls, or some.
    private var choice: [CallTracer.Call] {
        if CallTracer.isWanted {
            let step = max(1, Double(calls.count) / Double(Self.most))
            return stride(from: 0, to: Double(calls.count), by: step).map { calls[Int($0)] }
        }
        // Each subject has its own part of the seed, whatever the order of the tests.
        let part = subject.utf8.reduce(UInt64(5381)) { ($0 &* 33) ^ UInt64($1) }
        var random = SeededGenerator(seed: Self.seed &+ part << 20)
        return Array(calls.shuffled(using: &random).prefix(Self.sampleSize))
    }
}

extension AerieProcess {
    /// Words in front of a command whose machines' processes are traced.
    ///
    /// - Parameter tracer: words in front of a machine's program.
    func wrapper(tracingMachinesBy tracer: [String]) throws -> [String] {
        let programs = directory.path("traced")
        // By another process, as `TemporaryDirectory.program` says.
        let copied = try HostProgram.run(
            "/usr/bin/install", ["-D", "-m", "755", Self.executable, "\(programs)/aerie"])
        guard copied.status == 0 else { throw POSIXError(.EIO) }
        let script = "#!/bin/sh\nexec \(tracer.joined(separator: " ")) \(Self.path(of: "aerie-vm")) \"$@\"\n"
        _ = try directory.program("traced/aerie-vm", Data(script.utf8))
        // Another program than the one that was built: it has the script beside it.
        return ["/bin/sh", "-c", "shift; exec \"$0\" \"$@\"", "\(programs)/aerie"]
    }
}
