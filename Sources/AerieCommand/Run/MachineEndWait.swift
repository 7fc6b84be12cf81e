internal import Aerie
internal import ControlAPI
internal import HostSystem
internal import Runtime

/// Waits for the end of a machine on a thread of its own.
final class MachineEndWait: Sendable {
    struct Result: Sendable {
        let code: Int32
        let error: AerieError?
    }

    private let end = Monitor<Result?>(nil)

    init(_ machine: Machine) throws(AerieError) {
        let client = try ControlClient(machine)
        do throws(SystemError) {
            _ = try HostThread(name: "machine-end") { [end] in
                guard let answer = try? client.call(.wait) else { return }
                let error = answer["error"].flatMap { AerieError(json: $0) }
                end.update { $0 = Result(code: Int32(answer["code"]?.integer ?? 0), error: error) }
            }
        } catch { throw AerieError(opening: "waiting for the machine", error) }
    }

    /// - Parameter limit: nanoseconds.
    func result(within limit: UInt64) -> Result? {
        end.wait(until: HostClock.monotonic() &+ limit) { $0 }
    }
}
