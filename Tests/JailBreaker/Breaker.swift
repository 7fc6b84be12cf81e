import Glibc
import HostSystem
import Jail
import Synchronization

/// Makes attempts in jails.
struct Breaker {
    private let thread: String
    private let surroundings: Surroundings
    private var settings = JailSettings()
    private var names: [String] = []
    private var withShares = true

    init(directory: String, thread: String, _ options: ArraySlice<String>) {
        self.thread = thread
        surroundings = Surroundings(directory: directory)
        var rest = options
        while let option = rest.popFirst() {
            switch option {
            case "--no-shares": withShares = false
            case "--without": settings.omittedLayers.insert(JailLayer(rawValue: rest.removeFirst())!)
            case "--attempt": names.append(rest.removeFirst())
            default: fatalError("unknown option \(option)")
            }
        }
        settings.threads = 40
        settings.memory = 64 << 20
        if withShares {
            settings.shares = [
                JailSettings.Directory(path: "\(directory)/share", isReadOnly: false),
                JailSettings.Directory(path: "\(directory)/read-only", isReadOnly: true),
            ]
        }
    }

    func run() {
        do {
            print("gaps: \(try Jail.examine(settings).summary)")
        } catch { print("gaps: \(error)") }
        for attempt in Attempt.all where names.isEmpty || names.contains(attempt.name) {
            print("\(attempt.name): \(outcome(of: attempt))")
        }
        _ = try? ProcessStart.flushStandardOutput()
    }

    private func outcome(of attempt: Attempt) -> String {
        do {
            let process = try Jail.start(settings) { make(attempt, $0) }
            let broker = Broker(settings)
            switch process.waitForEnd(broker) {
            // A program that was run instead of this one ends with 0 as well.
            case .exited(0): return "succeeded"
            case .exited(let code): return code == 250 ? "no jail" : "refused \(code)"
            case .signalled(let signal): return "ended \(signal) \(broker.forbiddenCall?.callName ?? "")"
            }
        } catch { return "\(error)" }
    }

    /// In the machine's process: returns 0 for a success, or an errno value.
    private func make(_ attempt: Attempt, _ inside: JailInside) -> Int32 {
        var surroundings = surroundings
        do {
            try surroundings.open(withShares: withShares)
            _ = try inside.lock(settings)
        } catch {
            StandardError.write("\(error)\n")
            return 250
        }
        guard thread != "main" else { return Self.code(attempt.body(surroundings)) }
        let result = Monitor<Int?>(nil)
        let attacker = try? HostThread(name: thread) { [surroundings] in
            let value = attempt.body(surroundings)
            result.update { $0 = value }
        }
        guard attacker != nil, let value = result.wait({ $0 }) else { return 250 }
        return Self.code(value)
    }

    private static func code(_ result: Int) -> Int32 { result >= 0 ? 0 : Int32(-result) }
}
