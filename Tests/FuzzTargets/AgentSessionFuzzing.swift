internal import AgentClient
internal import AgentProtocol

/// The entry for what a guest's agent sends to the client. The first byte chooses the request.
enum AgentSessionFuzzing {
    private static let exchanges: [AgentSession.Exchange] = [
        .command(hasTerminal: false, hasInput: true), .command(hasTerminal: true, hasInput: true),
        .command(hasTerminal: false, hasInput: false), .put, .get, .status, .information, .action, .forward, .listen,
    ]

    static func answers(_ bytes: [UInt8]) {
        guard let choice = bytes.first else { return }
        let exchange = exchanges[Int(choice) % exchanges.count]
        // The same bytes at once and one by one: the events must be the same.
        let whole = run(bytes.dropFirst(), exchange, piece: bytes.count)
        let parts = run(bytes.dropFirst(), exchange, piece: 1)
        precondition(whole == parts, "a session depends on the pieces that its bytes come in")
    }

    /// The number of data bytes for each stream, the other events, and the fault.
    private struct Outcome: Equatable {
        var data = [0, 0, 0]
        var events: [AgentSession.Event] = []
        var fault: SessionFault?
        var phase = AgentSession.Phase.greeting
    }

    private static func run(_ input: ArraySlice<UInt8>, _ exchange: AgentSession.Exchange, piece: Int) -> Outcome {
        var session = AgentSession()
        var outcome = Outcome()
        var waiting: [UInt8] = []
        var rest = input
        while !rest.isEmpty, outcome.fault == nil {
            waiting += rest.prefix(piece)
            rest = rest.dropFirst(piece)
            do throws(SessionFault) {
                try takeAll(&session, &waiting, exchange, &outcome)
            } catch {
                outcome.fault = error
            }
        }
        outcome.phase = session.phase
        return outcome
    }

    private static func takeAll(
        _ session: inout AgentSession, _ waiting: inout [UInt8], _ exchange: AgentSession.Exchange,
        _ outcome: inout Outcome
    ) throws(SessionFault) {
        // A raw connection's bytes are no messages.
        while session.phase != .forwarding {
            let (consumed, event) = try session.next(waiting, in: 0..<waiting.count)
            waiting.removeFirst(consumed)
            precondition(session.credit <= Int(AgentLimits.credit), "the credit has a bound")
            switch event {
            case .data(let stream, let count):
                outcome.data[Int(stream)] += count
                session.takeData(count)
                waiting.removeFirst(count)
            case .greeted: session.request(exchange)
            case .granted: session.spend(session.credit / 2)
            case let event?: outcome.events.append(event)
            case nil: if consumed == 0 { return }
            }
        }
    }
}
