/// EXEC while the guest still boots: the command starts when the guest's network is up.
///
/// The initial RAM disk makes a mark, a file that is not empty. The image's program for networks empties it when every card with a link has an address, or
/// was given up for the time being. A guest without that program has no mark. The agent looks no more once the mark was empty, so that commands of a guest
/// that goes on from saved memory start at once.
final class WaitingCommand: Work {
    /// The usual mark's path.
    static let mark: StaticString = "/run/aerie/booting"
    /// Milliseconds between two looks, and until an init that does not come to its network is left to itself.
    private static let (pause, limit): (UInt64, UInt64) = (10, 30_000)

    private var request: ExecuteRequest
    private let giveUpAt = Clock.milliseconds + limit

    init(_ session: Session, _ request: ExecuteRequest) {
        self.request = request
        super.init(session)
        session.deadline = Clock.milliseconds + Self.pause
    }

    override func runDeadline() {
        if Clock.milliseconds >= giveUpAt { session.agent.giveBootUp() }
        guard session.agent.isBooting else {
            begin()
            return
        }
        session.deadline = Clock.milliseconds + Self.pause
    }

    /// - Returns: nil when the command cannot start; the session ends then.
    @discardableResult
    private func begin() -> Work? {
        session.deadline = UInt64.max
        do throws(AgentFailure) {
            let command = try Command(session, request)
            session.work = command
            return command
        } catch {
            session.fail(error)
            return nil
        }
    }

    /// Nobody waits any longer: the signal is the command's.
    override func takeSignal(_ number: UInt32) throws(AgentFailure) { try begin()?.takeSignal(number) }

    override func takeWindow(rows: UInt16, columns: UInt16) throws(AgentFailure) {
        request.rows = rows
        request.columns = columns
    }
}
